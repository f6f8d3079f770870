// Starting another program without waiting for it and without handing it anything of ours.
#pragma once

#include "supervisor/base/result.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// What is to be started. The descriptors stay the caller's.
struct Program {
    /// The program and its arguments, at least one. A program without a slash is looked up in PATH;
    /// no shell sees any of them.
    std::vector<std::string> words;
    std::vector<std::string> environment; ///< "NAME=VALUE", all of it
    int input = -1; ///< the child's standard input; -1 stands for /dev/null, as for the next two
    int output = -1;
    int error = -1;
    int death_signal =
        0; ///< what the kernel sends the child when our process ends, however it does
};

/// The file that `name` stands for: itself if it has a slash, else the first program of that name
/// in PATH. The directories there that are no absolute paths are passed over.
[[nodiscard]] Result<std::string> find_program(const std::string& name);

/// Starts `program` in a session, and so a process group, of its own: no terminal, no further
/// descriptor, every signal at its default, no privilege to be gained by exec (the set-group-ID bit
/// of Debian's ssh-agent would have the kernel forget `death_signal`). Returns when the program has
/// replaced us in the child, as its process ID, which the caller waits for (wait(2)). The error
/// names the file that cannot be executed; Error::code is the errno of fork(2) or execve(2).
[[nodiscard]] Result<pid_t> spawn(const Program& program);

/// Our environment, without what would lead an agent back to us or speak to the service manager in
/// our name.
[[nodiscard]] std::vector<std::string> environment_of_children();

} // namespace livesock
