// A place of the benchmark's own: an empty /tmp and a process table in which everything it starts
// ends with it.
#pragma once

#include <string>

namespace livesock::bench {

struct Sandbox {
    bool private_tmp = false; ///< /tmp is an empty tmpfs that nobody else sees
    std::string why_not;      ///< where it is not: what the kernel refused
};

/// Goes on in a child process inside new mount and process namespaces (for other users than root:
/// inside a new user namespace, as the same user); returns there. The caller's own process stays
/// behind, hands SIGINT and SIGTERM on and exits with the child's status: it does not return. The
/// end of the child, whatever its cause, ends every process that it started, and /tmp with them.
/// Where the kernel refuses, returns in the caller's own process, with the reason. To be called
/// first of all, while there is one thread.
[[nodiscard]] Sandbox enter_sandbox();

/// Puts the caller and all that it starts ahead of what else the machine does: by the autogroup's
/// nice value where the scheduler groups by session (sched(7); makes a session of its own), else by
/// the process's. For root only; returns whether it was allowed.
[[nodiscard]] bool take_precedence();

} // namespace livesock::bench
