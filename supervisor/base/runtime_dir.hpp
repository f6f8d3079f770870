// The runtime directory ($DIR): where it lies, and that it is ours alone (livesock-protocol(7)).
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// What the place of the runtime directory depends on. Empty means unset.
struct DirectoryInputs {
    std::string livesock_dir;    ///< $LIVESOCK_DIR
    std::string xdg_state_home;  ///< $XDG_STATE_HOME
    std::string xdg_runtime_dir; ///< $XDG_RUNTIME_DIR
    std::string home;            ///< $HOME, else the password database's
    std::string nodename;        ///< keeps hosts apart on a shared home
    uid_t uid = 0;
};

[[nodiscard]] DirectoryInputs directory_inputs();

/// The value of the environment variable `name`, empty if it is unset.
[[nodiscard]] std::string environment(const char* name);

/// This user's home directory by passwd(5), whatever HOME says; empty if the user is not there.
[[nodiscard]] std::string passwd_home();

/// Where the runtime directory lies if it can: $LIVESOCK_DIR, else the state directory. Empty if
/// there is no home directory for the latter.
[[nodiscard]] std::string preferred_directory(const DirectoryInputs& inputs);

/// Where the user's settings lie: $XDG_CONFIG_HOME, else ~/.config. Empty if there is no home
/// directory for the latter.
[[nodiscard]] std::string config_home();

/// The configuration that the supervisor reads where none is named: livesock/livesock.toml there.
[[nodiscard]] std::string default_config_path();

/// Where the runtime directory may lie, best first: $LIVESOCK_DIR or the state directory, then the
/// places to fall back to. Absolute paths only; those in which the longest socket name would not
/// fit sun_path are left out. Error: $LIVESOCK_DIR is no absolute path.
[[nodiscard]] Result<std::vector<std::string>> directory_choices(const DirectoryInputs& inputs);

/// Checks that `path` is a directory, no symlink, of this user and with the permissions 0700. The
/// error says what is wrong with it and what to do; Error::code is ENOENT where there is nothing.
[[nodiscard]] Result<UniqueFd> open_private_directory(const std::string& path);

/// The runtime directory of a supervisor: it exists and is private.
class RuntimeDir {
  public:
    /// Makes `path` and its parents (mode 0700) where they are missing and checks it. Error::code
    /// is EPERM for what is refused, else the errno of mkdir(2).
    static Result<RuntimeDir> make(const std::string& path);

    const std::string& path() const { return path_; }
    /// The absolute path of the entry `name`.
    std::string entry(const char* name) const { return path_ + '/' + name; }

  private:
    explicit RuntimeDir(std::string path)
        : path_(std::move(path)) {}
    std::string path_;
};

/// Held for as long as this process is the one supervisor of a runtime directory.
class SupervisorLock {
  public:
    /// Error::code is EWOULDBLOCK where another process holds it; the message names its pid.
    static Result<SupervisorLock> acquire(const RuntimeDir& directory);

    /// The same lock, handed over by the process that holds it: `fd` is a duplicate of its own. It
    /// ends when both have let it go.
    static SupervisorLock inherit(UniqueFd fd) { return SupervisorLock(std::move(fd)); }
    /// Names this process as its holder, for people.
    void note_holder() const;
    int fd() const { return fd_.get(); }

    /// Whether it still is the lock of `directory`, which may have been deleted and made anew.
    bool is_lock_of(const RuntimeDir& directory) const;

    /// Lets a successor begin. Nothing in the directory may be touched afterwards.
    void release() { fd_.reset(); }

  private:
    explicit SupervisorLock(UniqueFd fd)
        : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

/// A runtime directory, and the right to make sockets in it.
struct ClaimedDir {
    RuntimeDir directory;
    SupervisorLock lock;
};

/// The first of `choices` that can be made and written to, and whose file system takes sockets.
/// Only that leads on to the next: a directory that is refused for its owner or mode, or has its
/// supervisor already, is the error; so is one that cannot be made or written to if it is the one
/// that the user has `named`.
[[nodiscard]] Result<ClaimedDir> claim_first(const std::vector<std::string>& choices,
                                             std::string_view named = {});

} // namespace livesock
