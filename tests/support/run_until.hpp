// Runs an EventLoop from a test: until something has happened, or until nothing is left to do.
#pragma once

#include "supervisor/loop/event_loop.hpp"

#include <chrono>
#include <functional>

namespace livesock {

/// Far beyond what a passing test needs, even under a sanitizer on a busy machine.
inline constexpr std::chrono::seconds patience{10};

/// An EventLoop, or the end of the test.
inline EventLoop make_loop() {
    return std::move(EventLoop::create()).value();
}

/// Runs `loop` until `has_happened()`; false if that took longer than `limit`.
[[nodiscard]] inline bool run_until(EventLoop& loop, const std::function<bool()>& has_happened,
                                    Duration limit = patience) {
    const TimePoint deadline = Clock::now() + limit;
    bool is_met = has_happened();
    Watch tick;
    tick = loop.timer([&] {
        is_met = has_happened();
        if (is_met || Clock::now() >= deadline)
            loop.stop();
        else
            tick.start(std::chrono::microseconds(200));
    });
    tick.start(Duration::zero());
    if (!is_met && !loop.run())
        return false;
    return is_met;
}

/// Turns `loop` so often that everything that is ready, and what follows from it, has been done: for
/// claims that something does not happen. Timers that run for longer do not pass.
inline void settle(EventLoop& loop) {
    int turns = 40;
    Watch turn;
    turn = loop.timer([&] {
        if (--turns == 0)
            loop.stop();
        else
            turn.start(Duration::zero());
    });
    turn.start(Duration::zero());
    [[maybe_unused]] const Result<void> ran = loop.run();
}

} // namespace livesock
