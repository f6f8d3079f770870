#include "supervisor/base/clock.hpp"

#include <charconv>

#include <fmt/format.h>

namespace livesock {

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    using std::chrono::milliseconds;
    long long count = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, count);
    if (problem != std::errc{} || count < 0)
        return std::nullopt;
    const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
    const long long scale = unit == "ms"  ? 1
                            : unit == "s" ? 1000
                            : unit == "m" ? 60 * 1000
                            : unit == "h" ? 60 * 60 * 1000
                                          : 0;
    if (scale == 0 || count > milliseconds(longest_duration).count() / scale)
        return std::nullopt;
    return milliseconds(count * scale);
}

std::string format_duration(Duration duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    if (seconds < 0.001)
        return fmt::format("{:.0f} us", seconds * 1e6);
    if (seconds < 0.01)
        return fmt::format("{:.1f} ms", seconds * 1e3);
    if (seconds < 1)
        return fmt::format("{:.0f} ms", seconds * 1e3);
    if (seconds < 10)
        return fmt::format("{:.1f} s", seconds);
    if (seconds < 120)
        return fmt::format("{:.0f} s", seconds);
    if (seconds < 2 * 3600)
        return fmt::format("{:.0f} min", seconds / 60);
    if (seconds < 48 * 3600)
        return fmt::format("{:.0f} h", seconds / 3600);
    return fmt::format("{:.0f} d", seconds / 86400);
}

} // namespace livesock
