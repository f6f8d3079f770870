// setup: has shells, tmux and others use livesock, by sections in their files that can be undone.
#pragma once

#include <string>
#include <vector>

namespace livesock {

/// The words of the command line.
struct SetupWords {
    std::vector<std::string> parts; ///< what to set up; empty: what is used here
    bool ssh_rc = false;            ///< ~/.ssh/rc, too
    bool is_agreed = false;         ///< change without asking
    bool undo = false;
    bool only_check = false;
};

/// Shows what would be changed, asks, and does it; returns an exit status: exit_no where something
/// is left to do.
int setup_command(const SetupWords& words);

} // namespace livesock
