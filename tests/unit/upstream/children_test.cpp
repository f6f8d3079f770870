#include "supervisor/upstream/children.hpp"

#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

using namespace livesock;

namespace {

Program program(std::vector<std::string> words) {
    Program program;
    program.words = std::move(words);
    return program;
}

/// Until it is a zombie: whoever waits for it now has its status at once.
void end_unseen(pid_t pid) {
    REQUIRE(::kill(pid, SIGTERM) == 0);
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
}

} // namespace

TEST_CASE("the end of a child is told once, with its status") {
    EventLoop loop = make_loop();
    Children children(loop);
    std::vector<int> ends;
    REQUIRE(children.start(program({"sh", "-c", "exit 3"}),
                           [&](int status) { ends.push_back(status); }));
    CHECK(run_until(loop, [&] { return children.count() == 0; }));
    settle(loop);
    REQUIRE(ends.size() == 1);
    CHECK(describe_end(ends[0]) == "ended with status 3");
}

TEST_CASE("who was told to end is not told of, though it had ended before") {
    EventLoop loop = make_loop();
    Children children(loop);
    bool is_told = false;
    pid_t second = 0;
    const Result<pid_t> first =
        children.start(program({"sleep", "1000"}), [&](int) { children.kill(second); });
    second = children.start(program({"sleep", "1000"}), [&](int) { is_told = true; }).value();
    end_unseen(*first);
    end_unseen(second);
    CHECK(run_until(loop, [&] { return children.count() == 0; }));
    settle(loop);
    CHECK(!is_told);
}

TEST_CASE("a group that will not end is killed with its children") {
    const TempDir temp;
    EventLoop loop = make_loop();
    Children children(loop);
    // What it leaves behind is ours to wait for.
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    const Result<pid_t> child =
        children.start(program({"sh", "-c", "trap '' TERM; echo >\"$1\"; sleep 1000; sleep 1000",
                                "sh", temp.entry("ready")}),
                       [](int) {});
    REQUIRE(run_until(loop, [&] { return std::filesystem::exists(temp.entry("ready")); }));
    children.end_all();
    CHECK(children.count() == 0);
    CHECK(run_until(loop, [&] { return ::waitpid(-*child, nullptr, WNOHANG) < 0; }));
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
}
