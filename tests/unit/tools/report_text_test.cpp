#include "tools/report_text.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

constexpr std::int64_t now = 1'800'000'000;
const ThisShell inside{now, true};

AgentReport agent(const char* state, const char* label, const char* path) {
    return {.path = path, .state = state, .label = label, .forwarded = true, .since = now - 240};
}

AgentReport live_agent() {
    AgentReport live = agent("live", "10.0.0.5 on pts/3", "/tmp/ssh-XXXXaBcDeFgH/agent.4242");
    live.selected = true;
    live.round_trip_ms = 12.3;
    live.keys = 2;
    return live;
}

StatusReport report_of(std::vector<AgentReport> agents) {
    StatusReport report{.pid = 99, .uptime_seconds = 7200, .clients = 1, .answered = 41};
    report.agent_socket = "/home/zoe/.local/state/livesock/box/agent.sock";
    report.agents = std::move(agents);
    return report;
}

std::string first_line(const StatusReport& report) {
    const std::string text = status_text(report, View{}, inside);
    return text.substr(0, text.find('\n'));
}

StatusReport full_report() {
    AgentReport hung = agent("hung", "10.0.0.9 on pts/1",
                             "/home/zoe/.ssh/agent/s.0123456789abcdef0123456789abcdef.sshd.X1y2Z3");
    hung.since = now - 3 * 86400;
    hung.reason = "no answer for 3 min: the computer it runs on may be asleep, or its network gone";
    AgentReport dead = agent("dead", "Zoë's \033[31mlaptop", "/tmp/ssh-XXXXdead/agent.1");
    dead.forwarded = false;
    dead.reason = "connection refused";
    return report_of({live_agent(), hung, dead});
}

} // namespace

TEST_CASE("status at 80 columns") {
    CHECK(status_text(full_report(), View{.width = 80, .home = "/home/zoe"}, inside) ==
          R"(livesock is working: ssh uses the agent of 10.0.0.5 on pts/3 (2 keys, 12 ms).

   STATE  AGENT                 KEYS  ROUND TRIP  SINCE  PATH
*  live   10.0.0.5 on pts/3        2       12 ms  4 min  /tmp/ssh-X...agent.4242
   hung   10.0.0.9 on pts/1        -           -    3 d  ~/.ssh/age...shd.X1y2Z3
          no answer for 3 min: the computer it runs on may be asleep, or its
          network gone
   dead   Zoë's \x1b[31mlaptop     -           -  4 min  /tmp/ssh-X...ad/agent.1
          connection refused

Supervisor: pid 99, up 2 h; 1 client; 41 requests answered, 0 failed.
Agent socket: ~/.local/state/livesock/box/agent.sock
)");
}

TEST_CASE("status at 140 columns") {
    CHECK(status_text(full_report(), View{.width = 140, .home = "/home/zoe"}, inside) ==
          R"(livesock is working: ssh uses the agent of 10.0.0.5 on pts/3 (2 keys, 12 ms).

   STATE  AGENT                 KEYS  ROUND TRIP  SINCE  PATH
*  live   10.0.0.5 on pts/3        2       12 ms  4 min  /tmp/ssh-XXXXaBcDeFgH/agent.4242
   hung   10.0.0.9 on pts/1        -           -    3 d  ~/.ssh/agent/s.0123456789abcdef0123456789abcdef.sshd.X1y2Z3
          no answer for 3 min: the computer it runs on may be asleep, or its network gone
   dead   Zoë's \x1b[31mlaptop     -           -  4 min  /tmp/ssh-XXXXdead/agent.1
          connection refused

Supervisor: pid 99, up 2 h; 1 client; 41 requests answered, 0 failed.
Agent socket: ~/.local/state/livesock/box/agent.sock
)");
}

TEST_CASE("status in colour") {
    const std::string text = status_text(full_report(), View{.width = 140, .colour = true}, inside);
    CHECK(text.starts_with("\033[32mlivesock is working"));
    CHECK(text.find("12 ms).\033[0m\n\n") != std::string::npos);
    CHECK(text.find("\033[32mlive\033[0m   ") != std::string::npos);
    CHECK(text.find("\033[31mhung\033[0m   ") != std::string::npos);
    CHECK(text.find("\x1b[31mlaptop") == std::string::npos);
}

TEST_CASE("the first line says whether things work") {
    CHECK(first_line(report_of({live_agent()})) ==
          "livesock is working: ssh uses the agent of 10.0.0.5 on pts/3 (2 keys, 12 ms).");
    SUBCASE("one key") {
        AgentReport one = live_agent();
        one.keys = 1;
        one.forwarded = false;
        one.label = "work";
        one.round_trip_ms.reset();
        CHECK(first_line(report_of({one})) ==
              "livesock is working: ssh uses the agent 'work' (1 key).");
    }
    SUBCASE("an agent of which only the path is known") {
        AgentReport bare = live_agent();
        bare.label = bare.path;
        CHECK(
            first_line(report_of({bare})) ==
            "livesock is working: ssh uses the agent at /tmp/ssh-XXXXaBcDeFgH/agent.4242 (2 keys, "
            "12 ms).");
        CHECK(status_text(report_of({bare}), View{}, inside).find("*  live   -      ") !=
              std::string::npos);
    }
    SUBCASE("no keys") {
        AgentReport empty = live_agent();
        empty.keys = 0;
        CHECK(first_line(report_of({empty})) ==
              "livesock is working, but the agent of 10.0.0.5 on pts/3 has no keys: load one with "
              "ssh-add where that agent runs.");
    }
}

TEST_CASE("an agent that has not answered is not told to work, nor its last round trip") {
    AgentReport silent = live_agent();
    const auto shows = [&](const char* words) {
        const std::string text = status_text(report_of({silent}), View{}, inside);
        return text.find(words) != std::string::npos;
    };
    silent.unanswered_seconds = 0.3;
    CHECK(
        first_line(report_of({silent})) ==
        "ssh uses the agent of 10.0.0.5 on pts/3, which was asked 300 ms ago and has not answered "
        "yet. Look again in a moment.");
    CHECK(shows("  2     >300 ms  4 min"));
    CHECK(shows("\n          it was asked 300 ms ago and has not answered yet\n"));
    CHECK(verdict_text(report_of({silent}), View{.colour = true}).starts_with("\033[33m"));
    SUBCASE("nor that of one that is late") {
        silent.state = "late";
        silent.unanswered_seconds = 2.4;
        silent.reason = "it does not answer";
        CHECK(shows("  2      >2.4 s  4 min"));
        CHECK(shows("\n          it does not answer\n"));
    }
    SUBCASE("but one that always takes so long is on time") {
        silent.round_trip_ms = 400;
        CHECK(shows("(2 keys, 400 ms)"));
    }
    SUBCASE("and so is one that was asked this moment") {
        silent.unanswered_seconds = 0.02;
        CHECK(shows("(2 keys, 12 ms)"));
    }
}

TEST_CASE("where the agent goes with who types, the first line says so") {
    StatusReport report = report_of({live_agent(), agent("live", "10.0.0.9", "/b")});
    report.follows_typing = true;
    CHECK(first_line(report) ==
          "livesock is working: ssh uses the agent of the machine that is typed on; where that is "
          "not known, the agent of 10.0.0.5 on pts/3 (2 keys, 12 ms).");
    constexpr const char* plain =
        "livesock is working: ssh uses the agent of 10.0.0.5 on pts/3 (2 keys, 12 ms).";
    SUBCASE("but not with a pin") {
        report.pinned = "10.0.0.5";
        CHECK(first_line(report) == plain);
    }
    SUBCASE("nor where only one is live") {
        report.agents[1].state = "late";
        CHECK(first_line(report) == plain);
    }
}

TEST_CASE("the first line says what to do when nothing is live") {
    CHECK(first_line(report_of({})) ==
          "No agent is live: none has been found. Log in with 'ssh -A', or name an agent's socket "
          "with 'livesock register PATH'.");
    CHECK(first_line(report_of({agent("dead", "a", "/a")})) ==
          "No agent is live: those that were have ended. Log in again with 'ssh -A'.");
    CHECK(first_line(report_of({agent("dead", "a", "/a"), agent("hung", "b", "/b")})) ==
          "No agent is live: the agent of b does not answer. Wake the computer it runs on, or log "
          "in again with 'ssh -A'.");
    CHECK(first_line(report_of({agent("late", "a", "/a"), agent("new", "b", "/b")})) ==
          "No agent is live yet: the agent of b is being asked. Look again in a moment.");
}

TEST_CASE("a pin is shown with how to undo it") {
    StatusReport report = report_of({live_agent()});
    report.pinned = "10.0.0.5";
    CHECK(status_text(report, View{}, inside)
              .find("\nPinned to '10.0.0.5'; 'livesock use auto' undoes that.\n") !=
          std::string::npos);
    report.agents[0].pinned = true;
    CHECK(status_text(report, View{}, inside).find("which is not live") == std::string::npos);
    report.agents[0].pinned = false;
    CHECK(status_text(report, View{}, inside)
              .find("\nPinned to '10.0.0.5', which is not live: the agent of 10.0.0.5 on pts/3 is "
                    "used until it is. 'livesock use auto' undoes that.\n") != std::string::npos);
    report.agents.clear();
    CHECK(status_text(report, View{}, inside).find("which is not live; ") != std::string::npos);
}

TEST_CASE("a shell that does not use the agent is told how to") {
    const StatusReport report = report_of({live_agent()});
    CHECK(status_text(report, View{}, {now, false}).find("eval \"$(livesock env)\"") !=
          std::string::npos);
    CHECK(status_text(report, View{}, inside).find("eval") == std::string::npos);
}

TEST_CASE("numbers out of range are shown, not believed") {
    AgentReport odd = live_agent();
    odd.since = now + 1000;
    odd.round_trip_ms = 1e300;
    StatusReport report = report_of({odd});
    report.uptime_seconds = INT64_MAX;
    CHECK(status_text(report, View{}, inside).find("  now  ") != std::string::npos);
}

TEST_CASE("identities are listed with the agent that holds them") {
    const std::vector<IdentityReport> identities{
        {"SHA256:AAAA", "ssh-ed25519", "zoe@laptop", "10.0.0.5 on pts/3"},
        {"SHA256:BBBB", "ecdsa-sha2-nistp256", "\033]0;x\a", "10.0.0.5 on pts/3"}};
    CHECK(identities_text(identities) ==
          "SHA256:AAAA  ssh-ed25519          zoe@laptop    10.0.0.5 on pts/3\n"
          "SHA256:BBBB  ecdsa-sha2-nistp256  \\x1b]0;x\\x07  10.0.0.5 on pts/3\n");
}

TEST_CASE("a shell that does not use livesock is told what it can do") {
    StatusReport report;
    ThisShell here;
    const auto has = [&](const char* words) {
        return status_text(report, View{}, here).find(words) != std::string::npos;
    };
    CHECK(has("This shell does not use it: eval \"$(livesock env)\"\n"));
    here.own_agent = "/run/user/7/agent";
    CHECK(has("This shell uses an agent of its own choice, /run/user/7/agent; to have livesock use "
              "that, too: livesock register\n"));
    report.agents = {{.path = "/run/user/7/agent", .state = "live"}};
    CHECK(has("This shell uses an agent of its own choice, /run/user/7/agent.\n"));
    here = {.uses_login = true};
    CHECK(has("This shell uses the agent of its own login until that ends, and then this one.\n"));
    here = {.uses_agent = true};
    CHECK(!has("This shell"));
}

TEST_CASE("stand-ins are shown with their reason and some of those who use them") {
    StatusReport report;
    report.stand_ins = {
        {"/tmp/ssh-X/agent.1", "dead", {{12, "sh"}, {13, "tmux: server"}}, 2},
        {"/tmp/ssh-Y/agent.2", "hung", {{1, "a"}, {2, "b"}, {3, "c"}, {4, "d"}}, 70},
        {"/tmp/ssh-Z/agent.3", "dead", {}, 0}};
    const std::string text = status_text(report, View{}, ThisShell{});
    const auto has = [&](const char* words) { return text.find(words) != std::string::npos; };
    CHECK(has("STAND-IN  USED BY"));
    CHECK(has("dead      sh (12), tmux: server (13)"));
    CHECK(has("hung      a (1), b (2), c (3) and 67 more  /tmp/ssh-Y/agent.2"));
    CHECK(has("dead      -  "));
}

TEST_CASE("at 80 columns no line is longer, however long the names are") {
    AgentReport wordy = live_agent();
    wordy.label = std::string(200, 'l');
    wordy.path = "/tmp/" + std::string(200, 'p');
    wordy.since = now - 100 * 60;
    StatusReport report = report_of({wordy});
    const std::string program(15, 'u');
    report.stand_ins = {{wordy.path, "hung", {{1234567, program}, {2, program}}, 70}};
    report.signing = {{.name = "box", .listen = "unix:" + wordy.path}};
    const std::string text = status_text(report, View{.width = 80}, inside);
    for (const std::string& line : lines_of(text))
        CHECK_MESSAGE(columns(line) <= 80, line);
    CHECK(text.find("uuu (1234567) and 69 more  /tmp/pp") != std::string::npos);
}

TEST_CASE("healing is told a line a path") {
    CHECK(healing_text({{"/a", "stood_in", "nobody listened"}, {"/b", "refused", "it is\nodd"}},
                       View{}) == "/a: nobody listened\n/b: refused: it is\\nodd\n");
}

TEST_CASE("who uses an agent stands below it") {
    AgentReport used = live_agent();
    used.label = "laptop (10.0.0.5) on pts/3";
    const ClientReport git{4711, "ssh", "git", "/home/zoe/src/x", "%3"};
    used.users = {{git, "sign", 4.2}, {{99, "node", "", "/srv", ""}, {}, 60}};
    used.user_count = 2;
    StatusReport report = report_of({used});
    CHECK(status_text(report, View{.width = 80, .home = "/home/zoe"}, inside) ==
          R"(livesock is working: ssh uses the agent of laptop (10.0.0.5) on pts/3 (2 keys,
12 ms).

   STATE  AGENT                       KEYS  ROUND TRIP  SINCE  PATH
*  live   laptop (10.0.0.5) on pts/3     2       12 ms  4 min  /tmp/ss...nt.4242
          used by git in ~/src/x, pane %3 (waits for a signature, 4.2 s); node
          in /srv

Supervisor: pid 99, up 2 h; 1 client; 41 requests answered, 0 failed.
Agent socket: ~/.local/state/livesock/box/agent.sock
)");
    SUBCASE("further ones are counted") {
        report.agents[0].users.resize(4);
        report.agents[0].user_count = 70;
        CHECK(status_text(report, View{}, inside).find("; and 67 more\n") != std::string::npos);
    }
}

TEST_CASE("what is used now is said, with the name by which it was meant") {
    const View wide{};
    CHECK(choice_text("auto", {"a", {}, {}}, wide) == "Choosing by itself again: now 'a'.\n");
    CHECK(choice_text("auto", {}, wide) == "No agent is live now; 'livesock status' says more.\n");
    CHECK(choice_text("pts/3", {"laptop on pts/3", "tty", {"laptop on pts/3"}}, wide) ==
          "Now using 'laptop on pts/3', called so by its tty.\n");
    CHECK(choice_text("work", {"b", "key", {"a", "b"}}, wide) ==
          "Now using 'b', called so by its key. 'work' is one of 2: 'a', 'b'. The newest that is "
          "live is used.\n");
    CHECK(choice_text("x\n", {"c", "host", {"a"}}, wide) ==
          "'x\\n' is pinned, but not live: now 'c' is used.\n");
}
