// Which paths are the supervisor's own, and what answers at the others.
#pragma once

#include "tools/doctor_facts.hpp"

#include <string>

namespace livesock {

/// Whether both paths lead to the same file.
[[nodiscard]] bool is_same(const std::string& one, const std::string& other);

/// Whether `path` leads back to the supervisor in `directory`: it is one of its sockets, or a
/// stand-in.
[[nodiscard]] bool leads_back(const std::string& path, const std::string& directory);

/// Asks at `path` for the identities; takes no longer than half a second.
[[nodiscard]] SocketState ask_at(const std::string& path);

} // namespace livesock
