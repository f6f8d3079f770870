// Time as the decisions see it: an argument, from a clock that never jumps.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// CLOCK_MONOTONIC: unaffected by changes of the wall clock, and it stands still while this
/// machine is suspended, so that our own sleep is never taken for a silent agent.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

/// The longest duration that parse_duration() accepts.
inline constexpr std::chrono::hours longest_duration{24 * 365};

/// "250ms", "2s", "5m" or "1h" (a whole number and a unit) as a duration; nothing if `text` is
/// anything else or longer than longest_duration.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// `duration` for a person, in the largest unit that tells enough: "840 us", "12 ms", "3.2 s",
/// "4 min", "2 h", "3 d".
[[nodiscard]] std::string format_duration(Duration duration);

} // namespace livesock
