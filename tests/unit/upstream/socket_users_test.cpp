#include "supervisor/upstream/socket_users.hpp"

#include "tests/support/process_with_socket.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::string_view_literals;

namespace {

/// Scans for one path.
struct Scanned {
    TempDir temp;
    std::string path = temp.entry("agent.1");
    EventLoop loop = make_loop();
    int scans = 0;
    UsersByPath found;
    SocketUsers users;

    explicit Scanned(std::string proc = "/proc")
        : users(
              loop, [this](std::string_view wanted) { return wanted == path; },
              [this](UsersByPath now) {
                  found = std::move(now);
                  ++scans;
              },
              std::move(proc)) {}
    bool scan() {
        const int before = scans;
        users.request_now();
        return run_until(loop, [&] { return scans > before; });
    }
};

} // namespace

TEST_CASE("a scan finds the processes that refer to a path, by pid and name") {
    Scanned scanned;
    const ProcessWithSocket one(scanned.path);
    const ProcessWithSocket two(scanned.path);
    const ProcessWithSocket other(scanned.path + "2");
    REQUIRE(scanned.scan());
    REQUIRE(scanned.found.size() == 1);
    const PathUsers& users = scanned.found[scanned.path];
    CHECK(users.count == 2);
    REQUIRE(users.named.size() == 2);
    for (const SocketUser& user : users.named) {
        CHECK((user.pid == one.pid() || user.pid == two.pid()));
        CHECK(user.program == "sleep");
    }
}

TEST_CASE("a process that has ended is not found") {
    Scanned scanned;
    { const ProcessWithSocket ended(scanned.path); }
    REQUIRE(scanned.scan());
    CHECK(scanned.found.empty());
}

TEST_CASE("what is asked for during a scan is done by one more, a second later") {
    Scanned scanned;
    scanned.users.request();
    REQUIRE(run_until(scanned.loop, [&] { return scanned.users.is_scanning(); }));
    const TimePoint begun = Clock::now();
    for (int i = 0; i < 5; ++i)
        scanned.users.request();
    REQUIRE(run_until(scanned.loop, [&] { return scanned.scans == 2; }));
    CHECK(Clock::now() - begun > std::chrono::milliseconds(900));
    settle(scanned.loop);
    CHECK(scanned.scans == 2);
}

TEST_CASE("where there is no /proc nobody is found") {
    Scanned scanned("/nonexistent");
    REQUIRE(scanned.scan());
    CHECK(scanned.found.empty());
}
