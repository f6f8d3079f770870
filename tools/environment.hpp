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

/// How `env` is to be done.
struct EnvWords {
    std::optional<Shell> shell; ///< the syntax; without it, it is told from $SHELL
    bool preload = false;       ///< with what preloads the shim
    bool keep_own = false;      ///< nothing where SSH_AUTH_SOCK is a live agent of the user's own
    bool tmux = false;          ///< for the panes to come of the tmux server that runs this
};

/// Prints what a login shell shall eval. When something is wrong it prints nothing there, and why
/// only to a terminal: a login must not suffer.
int env_command(const EnvWords& words);

} // namespace livesock
