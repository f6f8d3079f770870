// Finding the supervisor that runs, and starting one where none does.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/control/client.hpp"

#include <string>

namespace livesock {

/// The supervisor of this user that runs, wherever its directory is. Error::code is ENOENT where
/// none does. A directory that is not private is an error only where a supervisor would be started
/// (the first choice): anybody can make the fallback in /tmp.
[[nodiscard]] Result<ControlClient> find_supervisor();

/// The same, starting livesockd first where none runs. It has answered, and its agent.sock has been
/// seen to be a socket of this user: its path may be exported. Any number of callers at once end up
/// with the same supervisor.
[[nodiscard]] Result<ControlClient> ensure_supervisor();

/// Runs `program` --daemon and waits until it serves. The error carries what it said.
[[nodiscard]] Result<void> launch_supervisor(const std::string& program);

} // namespace livesock
