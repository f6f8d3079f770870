#include "supervisor/proxy/wait_command.hpp"

#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

struct Commanded {
    TempDir temp;
    EventLoop loop = make_loop();
    Children children{loop};
    WaitCommand command{children};
    std::string told() const {
        std::ifstream file(temp.entry("told"));
        std::string text;
        std::getline(file, text);
        return text;
    }
};

} // namespace

TEST_CASE("the command is told of the request in its environment, and no shell reads that") {
    Commanded commanded;
    const std::string path = commanded.temp.entry("told");
    commanded.command.run(
        "printf '%s|' \"$LIVESOCK_KEY\" \"$LIVESOCK_COMMENT\" \"$LIVESOCK_PROGRAM\" "
        "\"$LIVESOCK_PID\" >" +
            path + ".new; mv " + path + ".new " + path,
        {.key = "SHA256:x", .comment = "$(touch x); `id`", .program = "git", .pid = 42});
    REQUIRE(run_until(commanded.loop, [&] { return commanded.children.count() == 0; }));
    CHECK(commanded.told() == "SHA256:x|$(touch x); `id`|git|42|");
}

TEST_CASE("commands that do not end are not started without limit") {
    Commanded commanded;
    for (int i = 0; i < 2 * WaitCommand::most_running; ++i)
        commanded.command.run("exec sleep 600", {});
    CHECK(commanded.children.count() == WaitCommand::most_running);
    commanded.children.end_all();
}

TEST_CASE("a command that fails makes room for the next") {
    Commanded commanded;
    for (int i = 0; i < 3 * WaitCommand::most_running; ++i) {
        commanded.command.run("exit 3", {});
        REQUIRE(run_until(commanded.loop, [&] { return commanded.children.count() == 0; }));
    }
    commanded.command.run("true", {});
    CHECK(commanded.children.count() == 1);
    REQUIRE(run_until(commanded.loop, [&] { return commanded.children.count() == 0; }));
}
