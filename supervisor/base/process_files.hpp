// What /proc says of a process (proc(5)). It is as old as the reading: the process may be gone, and
// another may have its number.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace livesock {

/// The value of the variable `name` in `environ_bytes`, a process's environment as /proc has it;
/// the first one, as for getenv(3). Valid as long as those bytes.
[[nodiscard]] std::optional<std::string_view> variable_in(std::string_view environ_bytes,
                                                          std::string_view name);

/// What a /proc/PID/stat tells.
struct ProcessFacts {
    std::string program; ///< its name, as in /proc/PID/comm: at most 15 bytes of any kind
    pid_t parent = 0;
    pid_t group = 0;           ///< the first process of what was typed as one command
    bool has_terminal = false; ///< a controlling one: somebody sits there
    bool is_stopped = false;   ///< by a signal or a debugger
};

/// The facts in `stat`, the contents of a /proc/PID/stat; nothing if it is malformed.
[[nodiscard]] std::optional<ProcessFacts> parse_process(std::string_view stat);

/// The facts of the process `pid`; nothing if it is gone.
[[nodiscard]] std::optional<ProcessFacts> process_facts(pid_t pid);

/// Where the symlink at `path` leads, empty if it is none.
[[nodiscard]] std::string link_at(const std::string& path);

/// The environment with which `pid` was started, "NAME=VALUE" each ended by a NUL; empty if it is
/// gone or not ours to read. Of a very large one the rest is missing.
[[nodiscard]] std::string environment_of(pid_t pid);

} // namespace livesock
