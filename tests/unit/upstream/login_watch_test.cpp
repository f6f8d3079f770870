#include "supervisor/upstream/login_watch.hpp"

#include "tests/support/run_until.hpp"

#include <csignal>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace livesock;

namespace {

/// A process of the "login" that this program's children make up.
class Child {
  public:
    Child()
        : pid_(::fork()) {
        if (pid_ != 0)
            return;
        ::pause();
        ::_exit(0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        end();
        ::waitpid(pid_, nullptr, 0);
    }
    /// It is a zombie then, as children are before sshd has noticed.
    void end() const { ::kill(pid_, SIGKILL); }

  private:
    pid_t pid_;
};

struct WatchedLogin {
    EventLoop loop = make_loop();
    int times_over = 0;
    LoginWatch watch{loop, ::getpid(), [this] { ++times_over; }};
};

} // namespace

TEST_CASE("a login without a process is not followed, and not over either") {
    WatchedLogin watched;
    CHECK(!watched.watch.follow());
    CHECK(!watched.watch.is_following());
    settle(watched.loop);
    CHECK(watched.times_over == 0);
}

TEST_CASE("a login is over when its last process has ended") {
    WatchedLogin watched;
    const Child first;
    const Child second;
    REQUIRE(watched.watch.follow());
    CHECK(watched.watch.is_following());
    SUBCASE("the first is the first to end") {
        first.end();
        settle(watched.loop);
        CHECK(watched.times_over == 0);
        CHECK(watched.watch.is_following());
        second.end();
    }
    SUBCASE("the first is the last to end") {
        second.end();
        settle(watched.loop);
        CHECK(watched.times_over == 0);
        first.end();
    }
    SUBCASE("both end at once") {
        first.end();
        second.end();
    }
    REQUIRE(run_until(watched.loop, [&] { return watched.times_over == 1; }));
    CHECK(!watched.watch.is_following());
}

TEST_CASE("a further login over the same sshd is followed when asked for") {
    WatchedLogin watched;
    {
        const Child first;
        REQUIRE(watched.watch.follow());
        first.end();
        REQUIRE(run_until(watched.loop, [&] { return watched.times_over == 1; }));
    }
    const Child second;
    CHECK(!watched.watch.is_following());
    REQUIRE(watched.watch.follow());
    CHECK(watched.watch.follow());
    second.end();
    REQUIRE(run_until(watched.loop, [&] { return watched.times_over == 2; }));
}

TEST_CASE("a process that has ended already is not followed") {
    WatchedLogin watched;
    const Child ended;
    ended.end();
    siginfo_t info{};
    REQUIRE(::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
    CHECK(!watched.watch.follow());
}

TEST_CASE("a watch that goes calls nobody") {
    WatchedLogin watched;
    int times_over = 0;
    const Child child;
    {
        LoginWatch gone(watched.loop, ::getpid(), [&] { ++times_over; });
        REQUIRE(gone.follow());
    }
    child.end();
    settle(watched.loop);
    CHECK(times_over == 0);
}
