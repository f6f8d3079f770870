// Whether a path may be an agent of this user at all, before anything is sent to it.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <chrono>
#include <span>
#include <string>

#include <sys/types.h>

namespace livesock {

/// A name in the file system under which this user's agent may listen.
struct SocketFile {
    std::string name; ///< as it was found
    std::string path; ///< absolute, without symlinks
    std::chrono::system_clock::time_point born;
    dev_t device = 0;
    ino_t inode = 0;

    /// Whether `other` is this very socket, and not one that was made in its place. A number may be
    /// used again; renaming changes none of these.
    bool is_same(const SocketFile& other) const {
        return device == other.device && inode == other.inode && born == other.born;
    }
};

/// Follows symlinks to the socket behind `path` and checks that it belongs to this user and lies in
/// a directory in which nobody else (but root) can replace it: not writable by others, or sticky.
/// Error::code is the errno, EPERM for what is refused.
[[nodiscard]] Result<SocketFile> check_socket(const std::string& path);

/// Whether both paths lead to one and the same existing file.
[[nodiscard]] bool is_same_file(const std::string& a, const std::string& b);

/// Whether `path` leads to one of `files`.
[[nodiscard]] bool leads_to_any(const std::string& path, std::span<const std::string> files);

/// A connection to an agent, and the process that listens there.
struct AgentConnection {
    UniqueFd fd;
    pid_t pid = 0;
};

/// Dials `path` and refuses a listener of another uid: whoever took the name of a socket that has
/// vanished gets no request. `path` is one of check_socket()'s: a symlink that is there now is a
/// stand-in that leads back to us, or a trick, and not followed. Error::code as dial(), EPERM for
/// what is refused.
[[nodiscard]] Result<AgentConnection> dial_agent(const std::string& path);

} // namespace livesock
