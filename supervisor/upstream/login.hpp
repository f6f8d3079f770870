// Who is behind a forwarded agent socket, in words its user knows.
#pragma once

#include "supervisor/base/unique_fd.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// What sshd told the processes of a login (environ(7) of sshd's children).
struct Login {
    std::string client_address; ///< from SSH_CONNECTION
    int client_port = 0;
    std::string tty; ///< "pts/3"; empty for a login without a terminal
};

/// The login that the sshd process `sshd` serves, from the environment of its children; nothing if
/// it has none (yet), or they are not this user's to look at.
[[nodiscard]] std::optional<Login> login_of(pid_t sshd);

/// The login described by `environ`, the contents of a /proc/PID/environ.
[[nodiscard]] std::optional<Login> parse_login(std::string_view environ_bytes);

/// The processes that `parent` has started and that are there, ended ones that it has not asked for
/// among them; none where the kernel does not say (proc(5)).
[[nodiscard]] std::vector<pid_t> children_of(pid_t parent);

/// A pidfd of the process `pid`, readable as soon as it has ended; none if it is gone, or the
/// kernel has no pidfds (Linux before 5.3).
[[nodiscard]] UniqueFd open_process(pid_t pid);

/// The name of the program that `pid` runs (/proc/PID/comm), escaped; empty if it is gone.
[[nodiscard]] std::string program_of(pid_t pid);

} // namespace livesock
