// The directory in which a stand-in is made: opened once and checked, and never trusted by name.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "supervisor/upstream/forwarded_path.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// What a name leads to, without following it.
struct DirectoryEntry {
    enum class Kind {
        missing,
        stand_in, ///< this user's symlink that says where a stand-in leads
        socket,   ///< this user's socket
        other,    ///< anything else: not to be touched
    };
    Kind kind = Kind::missing;
    std::string what = {}; ///< in words, for `other`: "a symlink that leads elsewhere"
    std::string link = {}; ///< where that symlink, this user's own, leads
    dev_t device = 0;
    ino_t inode = 0;
};

/// Whether somebody listens at a name.
enum class Listener {
    none,     ///< refused, or there is no such name
    answers,  ///< somebody of this user or root accepts
    stranger, ///< somebody of another uid does
    unknown,  ///< it cannot be told: not to be touched
};

/// An open directory in which nobody else can take or replace a name of this user. All calls are
/// relative to it.
class StandInDirectory {
  public:
    /// Opens the directory of `path`. A session's must be a real directory of this user with mode
    /// 0700, a kept one a real directory of this user to which nobody else can write, a shared one
    /// this user's or sticky and root's. Error::code is ENOENT where there is none, EPERM for what
    /// is refused; the message says what to do.
    static Result<StandInDirectory> open(PlaceKind kind, const std::string& path);

    int fd() const { return fd_.get(); }

    /// What `name` is; a stand-in leads to `target`.
    DirectoryEntry look(const std::string& name, const std::string& target) const;
    /// Dials the socket `name` and hangs up.
    Listener dial(const std::string& name) const;
    /// All names, none if they cannot be read.
    std::vector<std::string> names() const;

  private:
    explicit StandInDirectory(UniqueFd fd)
        : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

} // namespace livesock
