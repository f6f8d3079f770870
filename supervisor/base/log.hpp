// The supervisor's log: one line an event, on standard error.
#pragma once

#include "supervisor/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace livesock::log {

/// From what must be acted on to what only a developer reads.
enum class Level {
    error,   ///< the supervisor cannot do its work
    warning, ///< something failed; the line says what to do about it
    info,    ///< a change of state
    debug,   ///< everything else
};

/// How a line begins.
enum class Style {
    plain,     ///< "livesockd: warning: ..." for a person at a terminal
    timestamp, ///< "2026-01-31 12:00:00.123 warning: ..." for a file
    journal,   ///< "<4>...", the priorities of sd-daemon(3), for systemd
};

void set_level(Level level);
void set_style(Style style);

/// Sends the log to the file at `path`, appending, by way of standard error. A file that has grown
/// beyond 1 MiB is renamed to `path`.1, in place of an older one, and a new one begun.
[[nodiscard]] Result<void> open_file(const std::string& path);

/// Opens that file anew if it is not at its path any more; without effect where there is none.
void reopen_file();

/// "error", "warning", "info" or "debug".
[[nodiscard]] std::string_view name_of(Level level);
/// The level called `name`, if there is one.
[[nodiscard]] std::optional<Level> parse_level(std::string_view name);

[[nodiscard]] bool enabled(Level level);

/// Writes one line to standard error with a single write(2). A line that cannot be written at once
/// is lost, one that is longer than 4096 bytes is cut: logging neither blocks on nor fails because
/// of its reader. `text` must be one line; what came from elsewhere in it goes through escaped()
/// first.
void write(Level level, std::string_view text);

template <class... Args>
void print(Level level, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level))
        write(level, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    print(Level::error, format, std::forward<Args>(args)...);
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    print(Level::warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    print(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    print(Level::debug, format, std::forward<Args>(args)...);
}

} // namespace livesock::log
