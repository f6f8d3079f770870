#include "tools/watch_text.hpp"

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

constexpr std::int64_t now = 1'800'000'000; // 08:00:00 UTC
const WatchContext context{.now = now, .has_blocks = true};

WatchReport report() {
    AgentReport live{.path = "/tmp/ssh-XXXXaBcDeFgH/agent.4242",
                     .state = "live",
                     .selected = true,
                     .label = "laptop (10.0.0.5) on pts/3",
                     .forwarded = true,
                     .since = now - 240,
                     .round_trip_ms = 12.3,
                     .keys = 2};
    live.round_trips = {11, 12, 12, 13, 11, 40, 12, 12.3};
    const ClientReport git{4711, "ssh", "git", "/home/zoe/src/x", "%3"};
    live.users = {{git, "sign", 4.2}};
    live.user_count = 1;
    const AgentReport hung{.path = "/tmp/ssh-b/agent.1",
                           .state = "hung",
                           .label = "10.0.0.9 on pts/1",
                           .forwarded = true,
                           .since = now - 3 * 86400,
                           .reason = "it does not answer: is its client asleep?"};
    WatchReport made{.changes = 7};
    made.status = {.pid = 99, .uptime_seconds = 7200, .clients = 2, .answered = 41, .failed = 1};
    made.status.live = live.path;
    made.status.agents = {live, hung};
    made.status.stand_ins = {{"/tmp/ssh-b/agent.1", "hung", {{77, "vim"}}, 1}};
    made.done = {{1, now - 9, "list", {5, "ssh-add", "", "/home/zoe", ""}, "", "", "failed", 2},
                 {2, now - 1, "sign", git, live.path, live.label, "answered", 0.32}};
    return made;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines)
        text += line + '\n';
    return text;
}

std::string shown(const WatchReport& of, std::size_t width, WatchContext in = context) {
    return joined(watch_lines(of, View{.width = width, .home = "/home/zoe"}, in));
}

std::string told(const WatchReport* before, const WatchReport& after) {
    return joined(news_lines(before, after, View{.home = "/home/zoe"}, context));
}

} // namespace

TEST_CASE("watch at 80 columns") {
    CHECK(shown(report(), 80) ==
          R"text(livesock is working: ssh uses the agent of laptop (10.0.0.5) on pts/3 (2 keys,
12 ms).
08:00:00  2 clients; 41 requests answered, 1 failed; up 2 h; q quits

   STATE  AGENT                       KEYS  SINCE  ROUND TRIP
*  live   laptop (10.0.0.5) on pts/3     2  4 min       12 ms  ▃▃▃▃▃█▃▃
          used by git in ~/src/x, pane %3 (waits for a signature, 4.2 s)
   hung   10.0.0.9 on pts/1              -    3 d           -
          it does not answer: is its client asleep?

STAND-IN  USED BY   PATH
hung      vim (77)  /tmp/ssh-b/agent.1

TIME      WHO                      WANTED     AGENT               TOOK
07:59:59  git in ~/src/x, pane %3  signature  laptop ...on pts/3  320 ms
07:59:51  ssh-add in ~             keys       -                   failed, 2.0 s
)text");
}

TEST_CASE("watch at 140 columns") {
    CHECK(
        shown(report(), 140) ==
        R"text(livesock is working: ssh uses the agent of laptop (10.0.0.5) on pts/3 (2 keys, 12 ms).
08:00:00  2 clients; 41 requests answered, 1 failed; up 2 h; q quits

   STATE  AGENT                       KEYS  SINCE  ROUND TRIP
*  live   laptop (10.0.0.5) on pts/3     2  4 min       12 ms  ▃▃▃▃▃█▃▃
          used by git in ~/src/x, pane %3 (waits for a signature, 4.2 s)
   hung   10.0.0.9 on pts/1              -    3 d           -
          it does not answer: is its client asleep?

STAND-IN  USED BY   PATH
hung      vim (77)  /tmp/ssh-b/agent.1

TIME      WHO                      WANTED     AGENT                       TOOK
07:59:59  git in ~/src/x, pane %3  signature  laptop (10.0.0.5) on pts/3  320 ms
07:59:51  ssh-add in ~             keys       -                           failed, 2.0 s
)text");
}

TEST_CASE("watch at 60 columns") {
    CHECK(shown(report(), 60) ==
          R"text(livesock is working: ssh uses the agent of laptop (10.0.0.5)
on pts/3 (2 keys, 12 ms).
08:00:00 2 clients; 41 requests answered, 1 failed; up 2 h;
q quits

   STATE  AGENT                       KEYS  ROUND TRIP
*  live   laptop (10.0.0.5) on pts/3     2       12 ms
          used by git in ~/src/x, pane %3 (waits for a
          signature, 4.2 s)
   hung   10.0.0.9 on pts/1              -           -
          it does not answer: is its client asleep?

STAND-IN  USED BY   PATH
hung      vim (77)  /tmp/ssh-b/agent.1

TIME      WHO                      WANTED     TOOK
07:59:59  git in ~/src/x, pane %3  signature  320 ms
07:59:51  ssh-add in ~             keys       failed, 2.0 s
)text");
}

TEST_CASE("watch at 40 columns") {
    CHECK(shown(report(), 40) ==
          R"text(livesock is working: ssh uses the agent
of laptop (10.0.0.5) on pts/3 (2 keys,
12 ms).
08:00:00 2 clients; 41 requests
answered, 1 failed; up 2 h; q quits

   STATE  AGENT               ROUND TRIP
*  live   laptop ...on pts/3       12 ms
          used by git in ~/src/x, pane
          %3 (waits for a signature, 4.2
          s)
   hung   10.0.0.9 on pts/1            -
          it does not answer: is its
          client asleep?

STAND-IN  USED BY   PATH
hung      vim (77)  /tmp/ssh-b/agent.1

WHO             WANTED     TOOK
git i...ane %3  signature  320 ms
ssh-add in ~    keys       failed, 2.0 s
)text");
}

TEST_CASE("watch at 20 columns") {
    CHECK(shown(report(), 20) ==
          R"text(livesock is working:
ssh uses the agent
of laptop (10.0.0.5)
on pts/3 (2 keys, 12
ms).
08:00:00 2 clients;
41 requests
answered, 1 failed;
up 2 h; q quits

   STATE  AGENT
*  live   la...s/3
          used by
          git in
          ~/src/x,
          pane %3
          (waits for
          a
          signature,
          4.2 s)
   hung   10...s/1
          it does
          not
          answer: is
          its client
          asleep?

STAND-IN  PATH
hung      /tmp/s...g

WHO
gi... %3
ss...n ~
)text");
}

TEST_CASE("no line is longer than the terminal is wide, and there are no more than it has rows") {
    WatchReport crowded = report();
    crowded.status.agents[1].label = std::string(500, 'x');
    crowded.status.agents[1].reason = std::string(500, 'y');
    crowded.done[1].client.directory = "/" + std::string(500, 'z');
    for (int i = 0; i < 30; ++i)
        crowded.done.push_back(crowded.done[1]);
    for (const std::size_t width : {20U, 60U, 80U, 140U})
        for (const std::size_t rows : {1U, 5U, 12U, 24U, 60U}) {
            WatchContext in = context;
            in.rows = rows;
            const auto lines =
                watch_lines(crowded, View{.width = width, .colour = true, .home = {}}, in);
            CHECK(lines.size() <= rows);
            for (const std::string& line : lines)
                CHECK(clipped(line, width) == line);
        }
}

TEST_CASE("the rows that are left are for the latest requests") {
    WatchReport many = report();
    for (int i = 3; i < 30; ++i) {
        many.done.push_back(many.done[1]);
        many.done.back().time = now + i;
    }
    WatchContext in = context;
    in.rows = 16;
    const std::string text = shown(many, 140, in);
    CHECK(std::count(text.begin(), text.end(), '\n') == 16);
    CHECK(text.find("08:00:29") != std::string::npos);
    CHECK(text.find("08:00:03") == std::string::npos);
}

TEST_CASE("what has no room is counted") {
    WatchContext in = context;
    in.rows = 9;
    CHECK(shown(report(), 140, in).ends_with("\n(3 more lines)\n"));
    in.rows = 1;
    CHECK(shown(report(), 140, in).starts_with("livesock is working"));
}

TEST_CASE("where there is no agent there is no table of them") {
    WatchReport none;
    CHECK(shown(none, 80).find("STATE") == std::string::npos);
    CHECK(shown(none, 80).ends_with("up now; q quits\n"));
}

TEST_CASE("times are local, and so is the other side of midnight") {
    WatchContext in = context;
    in.utc_offset = 16 * 3600 - 1;
    CHECK(shown(report(), 80, in).find("\n23:59:59  2 clients") != std::string::npos);
    in.utc_offset = -9 * 3600;
    CHECK(shown(report(), 80, in).find("\n23:00:00  2 clients") != std::string::npos);
}

TEST_CASE("a sparkline is as high as its values") {
    CHECK(sparkline({}, 8, true).empty());
    CHECK(sparkline({1, 1, 1}, 8, false) == "+++");
    CHECK(sparkline({0, 1, 2, 4, 8}, 8, false) == "_.-+@");
    CHECK(sparkline({8, 1, 1}, 2, false) == "++");
    CHECK(sparkline({1, 8}, 8, true) == "▂█");
    CHECK(sparkline({0, -5, INFINITY, NAN}, 8, false).size() == 4);
}

TEST_CASE("why there is no news is wrapped, not cut") {
    View view{.width = 16};
    CHECK(problem_lines("", view).empty());
    CHECK(joined(problem_lines("the supervisor in '/d' is lost: start it", view)) ==
          "the supervisor\nin '/d' is lost:\nstart it\n");
    CHECK(joined(problem_lines("a-path-that-is-long\033[2J", view)) == "a-path-that-is-l\n");
    view.colour = true;
    for (const std::string& line : problem_lines("the supervisor is lost", view))
        CHECK(line.starts_with("\033["));
}

TEST_CASE("the first news are how things are") {
    CHECK(told(nullptr, report()) ==
          "08:00:00  the agent of laptop (10.0.0.5) on pts/3 is live (2 keys, 12 ms)\n"
          "08:00:00  the agent of 10.0.0.9 on pts/1 is hung: it does not answer: is its client "
          "asleep?\n"
          "08:00:00  requests go to the agent of laptop (10.0.0.5) on pts/3\n"
          "08:00:00  /tmp/ssh-b/agent.1, which is hung, has a stand-in\n");
}

TEST_CASE("later news are what has changed") {
    const WatchReport before = report();
    CHECK(told(&before, before).empty());
    WatchReport after = before;
    after.status.stand_ins.clear();
    after.status.agents.erase(after.status.agents.begin());
    after.status.agents[0].state = "live";
    after.status.agents[0].reason.reset();
    after.status.agents[0].selected = true;
    after.status.live = after.status.agents[0].path;
    after.done.push_back(after.done[1]);
    after.done.back().number = 3;
    after.done.push_back(after.done[0]);
    after.done.back().number = 4;
    CHECK(told(&before, after) ==
          "08:00:00  the agent of 10.0.0.9 on pts/1 is live (0 keys, -)\n"
          "08:00:00  the agent of laptop (10.0.0.5) on pts/3 is gone\n"
          "08:00:00  requests go to the agent of 10.0.0.9 on pts/1\n"
          "08:00:00  /tmp/ssh-b/agent.1 has a stand-in no longer\n"
          "07:59:59  git in ~/src/x, pane %3: signature, 320 ms of laptop (10.0.0.5) on pts/3\n"
          "07:59:51  ssh-add in ~: keys, failed, 2.0 s\n");
    SUBCASE("another supervisor counts from the beginning") {
        WatchReport successor = before;
        successor.status.pid = 100;
        successor.done.resize(1);
        CHECK(told(&before, successor) == "07:59:51  ssh-add in ~: keys, failed, 2.0 s\n");
    }
    SUBCASE("nobody is live any more") {
        WatchReport none = before;
        none.status.agents.clear();
        none.status.live.reset();
        CHECK(told(&before, none).find("08:00:00  no agent is live\n") != std::string::npos);
    }
}

TEST_CASE("what is watched drives no terminal") {
    WatchReport odd = report();
    const std::string evil = "\033]0;x\a\n";
    odd.status.agents[0].label = evil;
    odd.status.agents[0].users[0].client = {1, evil, evil, evil, evil};
    odd.status.agents[1].state = evil;
    odd.status.stand_ins[0] = {evil, evil, {{1, evil}}, 1};
    odd.done[1] = {3, now, evil, {1, evil, evil, evil, evil}, evil, evil, evil, 1e300};
    for (const std::string& text : {shown(odd, 80), told(nullptr, odd)})
        CHECK(text.find('\033') == std::string::npos);
}
