// The process behind a client of the proxy, and those that started it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace livesock {

/// What proc(5) tells of a process.
struct ProcessFacts {
    std::string program; ///< its name, as in /proc/PID/comm
    pid_t parent = 0;
    bool has_terminal = false; ///< a controlling one: somebody sits there
};

/// The facts in `stat`, the contents of a /proc/PID/stat; nothing if it is malformed.
[[nodiscard]] std::optional<ProcessFacts> parse_process(std::string_view stat);

/// Whether `pid` works in the background for one of `programs`: it has no controlling terminal, and
/// it or a process that started it runs one of them. False where /proc does not say.
[[nodiscard]] bool is_background_of(pid_t pid, std::span<const std::string> programs);

} // namespace livesock
