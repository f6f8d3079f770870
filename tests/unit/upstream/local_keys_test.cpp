#include "supervisor/upstream/local_keys.hpp"

#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <cerrno>
#include <csignal>

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

// The real ssh-agent and ssh-add serve in tests/functional/fallback_test.py.

namespace {

struct Keyed {
    TempDir temp;
    ScopedVariable path{"PATH", (temp.entry("bin") + ":/usr/bin:/bin").c_str()};
    EventLoop loop = make_loop();
    Children children{loop};
    std::optional<LocalKeys> keys;

    Keyed() {
        std::filesystem::create_directory(temp.entry("bin"));
        keys.emplace(loop, children, temp.entry("keys.sock"), temp.path());
    }
    /// A program in place of the one of that name.
    void make(const std::string& name, const std::string& script) const {
        const std::string file = temp.write("bin/" + name, "#!/bin/sh\n" + script + "\n");
        std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    }
};

} // namespace

TEST_CASE("an agent that does not listen yet, or ended, is a reason to try again later") {
    Keyed keyed;
    SUBCASE("it takes its time") {
        keyed.make("ssh-agent", "exec sleep 1000");
        for (int i = 0; i < 3; ++i)
            CHECK(keyed.keys->connect().error().code == EAGAIN);
        CHECK(keyed.children.count() == 1);
    }
    SUBCASE("it ended") {
        keyed.make("ssh-agent", "exit 7");
        CHECK(keyed.keys->connect().error().code == EAGAIN);
        CHECK(run_until(keyed.loop, [&] { return keyed.children.count() == 0; }));
        const Error error = keyed.keys->connect().error();
        CHECK(error.code == ECONNREFUSED);
        CHECK(error.message == "the private ssh-agent ended with status 7");
        CHECK(keyed.children.count() == 0);
    }
}

TEST_CASE("where there is no ssh-agent the error says so, again and again") {
    Keyed keyed;
    const ScopedVariable path("PATH", "/nonexistent");
    for (int i = 0; i < 2; ++i)
        CHECK(keyed.keys->connect().error().message.find("cannot execute 'ssh-agent'") !=
              std::string::npos);
}

TEST_CASE("an ssh-add that never ends is given up, and the agent can be used") {
    Keyed keyed;
    keyed.make("ssh-add", "trap '' TERM; sleep 1000; sleep 1000");
    keyed.temp.write("id_ed25519", "no key");
    CHECK(run_until(keyed.loop, [&] { return keyed.keys->connect().ok(); }));
    CHECK(run_until(keyed.loop, [&] { return keyed.children.count() == 1; }));
    CHECK(keyed.keys->pid() > 0);
}

TEST_CASE("the agent and what loads it end with the object, and the socket with them") {
    Keyed keyed;
    keyed.make("ssh-add", "exec sleep 1000");
    keyed.temp.write("id_ed25519", "no key");
    CHECK(run_until(keyed.loop, [&] {
        CHECK(!keyed.keys->connect());
        return keyed.children.count() == 2;
    }));
    keyed.keys.reset();
    CHECK(run_until(keyed.loop, [&] { return keyed.children.count() == 0; }));
    CHECK(!std::filesystem::exists(keyed.temp.entry("keys.sock")));
}

TEST_CASE("an agent whose socket was deleted is ended, and another one started when it may be") {
    Keyed keyed;
    CHECK(run_until(keyed.loop, [&] { return keyed.keys->connect().ok(); }));
    const pid_t first = keyed.keys->pid();
    std::filesystem::remove(keyed.temp.entry("keys.sock"));
    const Error error = keyed.keys->connect().error();
    // No sooner than an agent may be started again: this one was started just now.
    CHECK(error.code == ECONNREFUSED);
    CHECK(error.message.find("was deleted") != std::string::npos);
    CHECK(run_until(keyed.loop, [&] { return ::kill(first, 0) != 0; }));
    CHECK(keyed.keys->pid() == 0);
}
