#include "tools/why_text.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace livesock;

namespace {

constexpr std::int64_t now = 1'800'000'000;

FailureReport failure(std::int64_t ago, const char* cause = "no agent is live: log in") {
    return {.time = now - ago,
            .request = "sign",
            .client = {.pid = 4711,
                       .program = "ssh",
                       .command = "git",
                       .directory = "/home/zoe/src/x",
                       .pane = "%3"},
            .waited_seconds = 2.004,
            .cause = cause};
}

FailureReport unanswered(std::int64_t ago) {
    FailureReport failed = failure(ago, "the agent of 10.0.0.9 on pts/1 was asked: it did not ...");
    failed.waited_seconds = 10;
    failed.attempts = {
        {"/tmp/ssh-XXXXaBcDeFgH/agent.4242", "10.0.0.9 on pts/1", "hung", "it does not answer"},
        {"/home/zoe/.ssh/agent/s.0123456789abcdef.sshd.X1y2Z3",
         "/home/zoe/.ssh/agent/s.0123456789abcdef.sshd.X1y2Z3", "late",
         "it did not answer in time"}};
    return failed;
}

WhyContext context(std::vector<AgentReport> agents = {}) {
    WhyContext made{.now = now, .login = "ssh -A zoe@box"};
    made.status.uptime_seconds = 7200;
    made.status.config = "/home/zoe/.config/livesock/livesock.toml";
    made.status.agents = std::move(agents);
    return made;
}

std::string told(const std::vector<FailureReport>& failures, WhyContext in = context()) {
    return why_text(failures, in, View{.width = 0, .home = "/home/zoe"});
}

bool ends_in_a_command(const std::string& text, const std::string& command) {
    return text.ends_with(":\n    " + command + '\n');
}

std::vector<FailureReport> some() {
    FailureReport listed = failure(7300);
    listed.request = "list";
    listed.client = {.pid = 99, .program = "ssh-add", .directory = "/"};
    listed.waited_seconds = 0.01;
    return {unanswered(240), unanswered(260), unanswered(3600), listed};
}

} // namespace

TEST_CASE("why at 80 columns") {
    CHECK(why_text(some(), context(), View{.width = 80, .home = "/home/zoe"}) ==
          R"(4 min ago, git in ~/src/x, pane %3 (pid 4711) wanted a signature and got a
failure after 10 s, the last of 3 times within 60 min.
  Asked the agent of 10.0.0.9 on pts/1 at /tmp/ssh-XXXXaBcDeFgH/agent.4242: it
  does not answer; it was hung then.
  Asked the agent at ~/.ssh/agent/s.0123456789abcdef.sshd.X1y2Z3: it did not
  answer in time; it was late then.
  Its computer sleeps, or its network is gone. Wake it up, or log in again from
  a computer with your keys:
    ssh -A zoe@box

2 h ago, ssh-add in / (pid 99) wanted the list of keys and got a failure at
once.
  No agent is live.
  That is still so. Log in from a computer with your keys:
    ssh -A zoe@box
)");
}

TEST_CASE("why at 140 columns") {
    CHECK(
        why_text(some(), context(), View{.width = 140, .home = "/home/zoe"}) ==
        R"(4 min ago, git in ~/src/x, pane %3 (pid 4711) wanted a signature and got a failure after 10 s, the last of 3 times within 60 min.
  Asked the agent of 10.0.0.9 on pts/1 at /tmp/ssh-XXXXaBcDeFgH/agent.4242: it does not answer; it was hung then.
  Asked the agent at ~/.ssh/agent/s.0123456789abcdef.sshd.X1y2Z3: it did not answer in time; it was late then.
  Its computer sleeps, or its network is gone. Wake it up, or log in again from a computer with your keys:
    ssh -A zoe@box

2 h ago, ssh-add in / (pid 99) wanted the list of keys and got a failure at once.
  No agent is live.
  That is still so. Log in from a computer with your keys:
    ssh -A zoe@box
)");
}

TEST_CASE("where nothing failed the doctor is named") {
    const std::string text = told({});
    CHECK(text.starts_with("No request has failed since the supervisor was started, 2 h ago."));
    CHECK(ends_in_a_command(text, "livesock doctor"));
}

TEST_CASE("what is over is said to be") {
    const WhyContext cured = context({{.path = "/a",
                                       .state = "live",
                                       .selected = true,
                                       .label = "10.0.0.5 on pts/3",
                                       .forwarded = true}});
    for (const FailureReport& failed : {unanswered(5), failure(5)}) {
        const std::string text = told({failed}, cured);
        CHECK(text.find("Requests go to the agent of 10.0.0.5 on pts/3 now: try again") !=
              std::string::npos);
        CHECK(ends_in_a_command(text, "livesock status"));
    }
}

TEST_CASE("what the configuration forbids is allowed there") {
    const std::string text = told({failure(5, "it is refused by policy.read_only")});
    CHECK(text.find("  It is refused by policy.read_only.\n") != std::string::npos);
    CHECK(text.find("change policy.read_only in ~/.config/livesock/livesock.toml, then") !=
          std::string::npos);
    CHECK(ends_in_a_command(text, "livesock reload"));
}

TEST_CASE("a crowd is given more room") {
    const std::string text =
        told({failure(5, "all connections to the agent of x were in use (proxy.max_upstreams)")});
    CHECK(text.find("raise proxy.max_upstreams in") != std::string::npos);
    CHECK(ends_in_a_command(text, "livesock reload"));
}

TEST_CASE("what is unheard of leads to the log") {
    FailureReport failed = failure(5, "something new");
    failed.attempts = {{"/a", "a", "live", "it closed the connection"}};
    CHECK(ends_in_a_command(told({failed}), "livesock log"));
    failed.attempts[0].state = "dead";
    CHECK(ends_in_a_command(told({failed}), "ssh -A zoe@box"));
}

TEST_CASE("only failures that tell the same are one story") {
    FailureReport other = failure(30);
    other.client.pane = "%4";
    const std::string text = told({failure(10), other, failure(50)});
    CHECK(text.find("times since") == std::string::npos);
    CHECK(text.find("pane %4") != std::string::npos);
}

TEST_CASE("a session-bind belongs to the story of what its client wanted then") {
    const auto of = [](const char* request, std::int64_t pid) {
        FailureReport failed = failure(10);
        failed.request = request;
        failed.client.pid = pid;
        return failed;
    };
    const std::string text = told({of("list", 2), of("list", 1), of("session-bind", 2),
                                   of("session-bind", 1), of("session-bind", 3)});
    CHECK(text.find("(pid 2) wanted the list of keys and got a failure after 2.0 s, the last of 2 "
                    "times") != std::string::npos);
    CHECK(text.find("(pid 3) wanted to bind") != std::string::npos);
    CHECK(text.find("(pid 1)") == std::string::npos);
    FailureReport elsewhere = of("session-bind", 0);
    CHECK(told({of("list", 0), elsewhere}).find("wanted to bind") != std::string::npos);
}

TEST_CASE("further stories are left to --json") {
    std::vector<FailureReport> many;
    for (int i = 0; i < 8; ++i)
        many.push_back(failure(10 * i, fmt::format("cause {}", i).c_str()));
    const std::string text = told(many);
    CHECK(text.find("Cause 4.") != std::string::npos);
    CHECK(text.find("Cause 5.") == std::string::npos);
    CHECK(text.find("There are 3 earlier ones") != std::string::npos);
    CHECK(ends_in_a_command(text, "livesock why --json"));
}

TEST_CASE("texts from elsewhere are escaped, and numbers not believed") {
    FailureReport odd = failure(-50, "\033[31m");
    odd.client = {.pid = 5, .command = "a\nb", .directory = "/\033", .pane = "%\a"};
    odd.waited_seconds = 1e300;
    odd.attempts = {{"/\n", "\n", "\n", "\n"}};
    const std::string text = told({odd, FailureReport{}});
    CHECK(text.find('\033') == std::string::npos);
    CHECK(text.find('\a') == std::string::npos);
    CHECK(text.find("Just now, a\\nb in /\\x1b") != std::string::npos);
    CHECK(text.find("a program elsewhere wanted to change") != std::string::npos);
}

TEST_CASE("a client of which no process is known is elsewhere, one that is gone has ended") {
    FailureReport failed = failure(5);
    failed.client = {.pid = 4711};
    CHECK(told({failed}).find(" ago, a program that has ended (pid 4711) wanted") !=
          std::string::npos);
    failed.client = {};
    CHECK(told({failed}).find(" ago, a program elsewhere wanted a signature") != std::string::npos);
}

TEST_CASE("an agent on another machine is looked after there") {
    const WhyContext guest = context(
        {{.path = "tcp 172.16.0.1:7222", .state = "late", .label = "host", .upstream = true}});
    FailureReport failed = failure(5);
    failed.attempts = {{"tcp 172.16.0.1:7222", "host", "late", "it did not answer in time"}};
    const std::string text = told({failed}, guest);
    CHECK(text.find("an upstream of your configuration") != std::string::npos);
    CHECK(ends_in_a_command(text, "livesock status"));
}
