// start, stop, restart, reload: the commands about the supervisor itself. Each prints what it has
// to say and returns an exit status; each is idempotent.
#pragma once

#include "supervisor/base/result.hpp"

namespace livesock {

/// Prints "livesock: `error`" on standard error; returns `status`.
int complain(const Error& error, int status);

int start_command();
int stop_command();
int restart_command();
int reload_command();

} // namespace livesock
