// Whether SSH_AUTH_SOCK leads to an agent that the user has chosen, and that is to be left alone.
#pragma once

#include <string>
#include <string_view>

namespace livesock {

/// Whether a socket called `path` (symlinks followed) at which the program `listener` listens
/// belongs to a login, as a forwarded agent's does, or to livesock, and not to an agent that the
/// user runs. Pure.
[[nodiscard]] bool is_of_a_login(std::string_view path, std::string_view listener);

/// Whether somebody listens at the socket `path`, and it is none of a login. Does not wait.
[[nodiscard]] bool is_own_agent(const std::string& path);

} // namespace livesock
