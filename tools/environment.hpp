// run and env: putting a command, or the login shell, in reach of the live agent.
#pragma once

#include "tools/exports.hpp"

#include <optional>
#include <string>
#include <vector>

namespace livesock {

/// Becomes `command` with the supervisor running and its environment set; returns only if that
/// fails, with the exit status, after saying why.
int run_command(const std::vector<std::string>& command);

/// Prints what a login shell shall eval. When something is wrong it prints nothing there, and why
/// only to a terminal: a login must not suffer. Without `shell` it is told from $SHELL.
int env_command(std::optional<Shell> shell, bool preload);

} // namespace livesock
