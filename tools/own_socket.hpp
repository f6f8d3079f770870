// Which paths are the supervisor's own, and what answers at the others.
#pragma once

#include "supervisor/base/unique_fd.hpp"
#include "tools/doctor_facts.hpp"

#include <string>

namespace livesock {

/// Whether `path` leads back to the supervisor in `directory`: it is one of its sockets, or a
/// stand-in.
[[nodiscard]] bool leads_back(const std::string& path, const std::string& directory);

/// Whether `path` has the shape of a forwarded agent socket (liblivesock(7)): what has another, the
/// shim leaves alone, and gets no stand-in. Pure.
[[nodiscard]] bool has_forwarded_shape(const std::string& path);

/// Connects to the socket at `path` without ever waiting, by the system call: the shim, if it is
/// loaded here, would lead a dead path elsewhere. Invalid where that fails, and errno says why:
/// EAGAIN means that somebody listens, but has no room now.
[[nodiscard]] UniqueFd connect_past_shim(const std::string& path);

/// Whether nobody listens at `path`. Does not wait.
[[nodiscard]] bool is_dead(const std::string& path);

/// Whether the shim, where it is loaded, leads a program with this SSH_AUTH_SOCK to the live agent:
/// it has the shape, and nobody listens there. Does not wait.
[[nodiscard]] bool is_led_by_shim(const std::string& path);

/// Asks at `path` for the identities; takes no longer than half a second.
[[nodiscard]] SocketState ask_at(const std::string& path);

} // namespace livesock
