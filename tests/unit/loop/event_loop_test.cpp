#include "supervisor/loop/event_loop.hpp"

#include "supervisor/base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

struct Pair {
    UniqueFd ours;
    UniqueFd theirs;
};

Pair connected_pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void send_byte(const UniqueFd& fd) {
    REQUIRE(::write(fd.get(), "x", 1) == 1);
}

void take_byte(const UniqueFd& fd) {
    char byte = 0;
    REQUIRE(::read(fd.get(), &byte, 1) == 1);
}

/// A loop that a test cannot hang in.
struct TestLoop {
    EventLoop loop = *EventLoop::create();
    bool timed_out = false;
    Watch limit = loop.timer([this] {
        timed_out = true;
        loop.stop();
    });

    void run(Duration longest = 10s) {
        limit.start(longest);
        REQUIRE(loop.run());
        limit.pause();
    }
    /// Runs the callbacks that are due now.
    void run_what_is_due() {
        run(0s);
        timed_out = false;
    }
};

} // namespace

TEST_CASE("a readable descriptor calls back for as long as it can be read") {
    TestLoop test;
    const Pair pair = connected_pair();
    int calls = 0;
    Watch watch = test.loop.on_readable(pair.ours.get(), [&] {
        if (++calls == 3) {
            take_byte(pair.ours);
            test.loop.stop();
        }
    });
    send_byte(pair.theirs);
    test.run_what_is_due();
    CHECK(calls == 0); // begins paused
    watch.resume();
    test.run();
    CHECK(calls == 3);
    test.run_what_is_due();
    CHECK(calls == 3);
}

TEST_CASE("the end of a descriptor can be read") {
    TestLoop test;
    Pair pair = connected_pair();
    Watch watch = test.loop.on_readable(pair.ours.get(), [&] { test.loop.stop(); });
    watch.resume();
    pair.theirs.reset();
    test.run();
    CHECK_FALSE(test.timed_out);
}

TEST_CASE("a writable descriptor calls back until it is full") {
    TestLoop test;
    const Pair pair = connected_pair();
    int calls = 0;
    Watch watch = test.loop.on_writable(pair.ours.get(), [&] {
        ++calls;
        const std::string chunk(4096, 'x');
        while (calls == 3 && ::write(pair.ours.get(), chunk.data(), chunk.size()) > 0) {
        }
    });
    watch.resume();
    test.run(50ms);
    CHECK(calls == 3);
    char chunk[4096];
    while (::read(pair.theirs.get(), chunk, sizeof chunk) > 0) {
    }
    test.run(1ms);
    CHECK(calls > 3);
}

TEST_CASE("a change is told once for as long as it lasts") {
    TestLoop test;
    Pair pair = connected_pair();
    int calls = 0;
    Watch watch = test.loop.on_change(pair.ours.get(), [&] { ++calls; });
    watch.resume();
    send_byte(pair.theirs);
    test.run(20ms);
    CHECK(calls == 1);
    send_byte(pair.theirs);
    test.run(20ms);
    CHECK(calls == 2);
    pair.theirs.reset();
    test.run(20ms);
    CHECK(calls == 3);
}

TEST_CASE("a paused watch is silent, a resumed one is not") {
    TestLoop test;
    const Pair pair = connected_pair();
    int calls = 0;
    Watch watch = test.loop.on_readable(pair.ours.get(), [&] {
        ++calls;
        watch.pause();
    });
    send_byte(pair.theirs);
    watch.resume();
    watch.resume(); // twice is once
    test.run(20ms);
    CHECK(calls == 1);
    watch.resume();
    test.run(20ms);
    CHECK(calls == 2);
}

TEST_CASE("a watch that is gone never calls back") {
    TestLoop test;
    const Pair pair = connected_pair();
    int calls = 0;
    std::optional<Watch> watch = test.loop.on_readable(pair.ours.get(), [&] { ++calls; });
    std::optional<Watch> timer = test.loop.timer([&] { ++calls; });
    std::optional<Watch> demand = test.loop.on_demand([&] { ++calls; });
    watch->resume();
    timer->start(0s);
    demand->trigger();
    send_byte(pair.theirs);
    SUBCASE("gone before the loop runs") {
        watch.reset();
        timer.reset();
        demand.reset();
        test.run(20ms);
        CHECK(calls == 0);
    }
    SUBCASE("gone in the turn in which it is due") {
        // Both are due; whichever is called first takes the other away.
        std::optional<Watch> first;
        std::optional<Watch> second;
        int survivors = 0;
        first = test.loop.timer([&] { ++survivors, second.reset(); });
        second = test.loop.timer([&] { ++survivors, first.reset(); });
        first->start(0s);
        second->start(0s);
        test.run(20ms);
        CHECK(survivors == 1);
    }
}

TEST_CASE("a watch can be moved") {
    TestLoop test;
    int first = 0;
    int second = 0;
    Watch watch = test.loop.timer([&] { ++first; });
    watch.start(0s);
    std::vector<Watch> watches;
    watches.push_back(std::move(watch));
    CHECK_FALSE(watch); // NOLINT(bugprone-use-after-move)
    watches.push_back(test.loop.timer([&] { ++second; }));
    watches[1].start(0s);
    watches[1] = Watch();
    test.run(20ms);
    CHECK(first == 1);
    CHECK(second == 0);
}

TEST_CASE("a timer calls back once, not before its time") {
    TestLoop test;
    int calls = 0;
    TimePoint called;
    Watch timer = test.loop.timer([&] {
        ++calls;
        called = Clock::now();
    });
    const TimePoint begin = Clock::now();
    timer.start(15ms);
    test.run(60ms);
    CHECK(calls == 1);
    CHECK(called - begin >= 14ms);
}

TEST_CASE("timers call back in the order of their times") {
    TestLoop test;
    std::vector<int> order;
    std::vector<Watch> timers;
    for (const int milliseconds : {30, 10, 20, 1}) {
        timers.push_back(
            test.loop.timer([&order, milliseconds] { order.push_back(milliseconds); }));
        timers.back().start(std::chrono::milliseconds(milliseconds));
    }
    test.run(40ms);
    CHECK(order == std::vector<int>{1, 10, 20, 30});
}

TEST_CASE("a timer that is started again, or paused, forgets its first time") {
    TestLoop test;
    int calls = 0;
    Watch timer = test.loop.timer([&] { ++calls; });
    timer.start(0s);
    timer.start(1h);
    test.run(20ms);
    CHECK(calls == 0);
    timer.start(0s);
    timer.pause();
    test.run(20ms);
    CHECK(calls == 0);
    timer.start(-5s); // a deadline in the past is due
    test.run(20ms);
    CHECK(calls == 1);
}

TEST_CASE("a timer may start itself again") {
    TestLoop test;
    int calls = 0;
    Watch timer = test.loop.timer([&] {
        if (++calls < 3)
            timer.start(1ms);
        else
            test.loop.stop();
    });
    timer.start(1ms);
    test.run();
    CHECK(calls == 3);
}

TEST_CASE("what is demanded happens after the callback that demands it, once") {
    TestLoop test;
    std::vector<std::string> order;
    Watch sweep = test.loop.on_demand([&] { order.emplace_back("sweep"); });
    Watch timer = test.loop.timer([&] {
        order.emplace_back("begin");
        sweep.trigger();
        sweep.trigger();
        order.emplace_back("end");
    });
    timer.start(0s);
    test.run(20ms);
    CHECK(order == std::vector<std::string>{"begin", "end", "sweep"});
    sweep.trigger();
    test.run(20ms);
    CHECK(order.size() == 4);
}

TEST_CASE("a signal calls back in the loop") {
    TestLoop test;
    int calls = 0;
    Watch watch = test.loop.on_signal(SIGUSR1, [&] {
        ++calls;
        test.loop.stop();
    });
    watch.resume();
    REQUIRE(::raise(SIGUSR1) == 0);
    CHECK(calls == 0);
    test.run();
    CHECK(calls == 1);
}

TEST_CASE("stop ends the turn, and the loop can run again") {
    TestLoop test;
    int calls = 0;
    Watch first = test.loop.timer([&] { ++calls, test.loop.stop(); });
    Watch second = test.loop.timer([&] { ++calls, test.loop.stop(); });
    first.start(0s);
    second.start(0s);
    test.run();
    CHECK(calls == 1);
    test.run();
    CHECK(calls == 2);
}

TEST_CASE("a loop with nothing to wait for ends") {
    EventLoop loop = *EventLoop::create();
    CHECK(loop.run());
}
