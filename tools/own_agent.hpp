// Where SSH_AUTH_SOCK leads: to livesock, or to an agent that the user has chosen, and that is to
// be left alone, or to that of a login, which ends with it.
#pragma once

#include "tools/doctor_facts.hpp"

#include <string>
#include <string_view>

namespace livesock {

/// Whether a socket called `path` (symlinks followed) at which the program `listener` listens
/// belongs to a login, as a forwarded agent's does, or to livesock, and not to an agent that the
/// user runs. Pure.
[[nodiscard]] bool is_of_a_login(std::string_view path, std::string_view listener);

/// Whether somebody listens at the socket `path`, and it is none of a login. Does not wait.
[[nodiscard]] bool is_own_agent(const std::string& path);

/// What is at the path `path`: ask_at(), and whether it leads back to `directory`, in which case
/// nobody is asked.
[[nodiscard]] SocketFacts collect_socket(const std::string& path, const std::string& directory);

/// What the programs of a shell reach by its SSH_AUTH_SOCK.
enum class ShellUse {
    livesock, ///< the live agent, now and when its login has ended
    login,    ///< the agent of another login, and the live one when that has ended
    own,      ///< an agent of the user's own choice
    nothing,  ///< nothing that lasts: what is there, if anything, ends with its login
};

/// The same for a shell whose SSH_AUTH_SOCK is `socket`, where `live` is the path of the live agent
/// and the shim does its part or not (is_shim_armed()). Pure.
[[nodiscard]] ShellUse use_of(const SocketFacts& socket, const std::string& live, bool is_armed);

/// Whether the shim is loaded into this very program.
[[nodiscard]] bool is_shim_loaded();

/// Whether it is, and does its part (liblivesock(7)).
[[nodiscard]] bool is_shim_armed();

} // namespace livesock
