#include "supervisor/base/runtime_dir.hpp"

#include "preload/report.h"
#include "supervisor/base/file.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace livesock {
namespace {

/// listen_at() makes its sockets under a temporary name; this is the longest there is.
constexpr std::string_view longest_entry = "/control.sock.new";

bool fits(const std::string& directory) {
    return directory.size() + longest_entry.size() <= longest_socket_path;
}

std::string without_trailing_slashes(std::string path) {
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

/// Whether it says of a place that nothing can be made there, by us.
bool is_not_writable(int code) {
    return code == EROFS || code == EACCES || code == ENOENT;
}

/// An error about the directory that the user has named, with what is to be done about it.
Error advised(Error error) {
    if (is_not_writable(error.code))
        error.message += fmt::format(": set {} to a directory of your own", directory_variable);
    return error;
}

Result<void> make_parents(const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        const std::string parent = path.substr(0, slash);
        if (::mkdir(parent.c_str(), S_IRWXU) != 0 && errno != EEXIST)
            return system_error(fmt::format("cannot make the directory '{}'", parent), errno);
    }
    return {};
}

bool refuses_sockets(int code) {
    return code == EPERM || code == EOPNOTSUPP || code == ENOSYS || code == EINVAL;
}

/// Under the lock: a supervisor that starts at the same time would use the same name.
Result<void> try_socket(const RuntimeDir& directory) {
    const std::string trial = directory.entry("trial.sock");
    if (Result<UniqueFd> listening = listen_at(trial); !listening)
        return listening.error();
    ::unlink(trial.c_str());
    return {};
}

} // namespace

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::string passwd_home() {
    const passwd* const entry = ::getpwuid(::geteuid());
    return entry == nullptr ? std::string() : std::string(entry->pw_dir);
}

DirectoryInputs directory_inputs() {
    DirectoryInputs inputs;
    inputs.livesock_dir = environment(directory_variable);
    inputs.xdg_state_home = environment("XDG_STATE_HOME");
    inputs.xdg_runtime_dir = environment("XDG_RUNTIME_DIR");
    inputs.home = environment("HOME");
    inputs.uid = ::geteuid();
    if (inputs.home.empty())
        inputs.home = passwd_home();
    utsname name{};
    ::uname(&name);
    inputs.nodename = name.nodename;
    return inputs;
}

std::string config_home() {
    // A relative one is to be ignored (XDG Base Directory Specification).
    if (std::string named = environment("XDG_CONFIG_HOME"); named.starts_with('/'))
        return named;
    const std::string home = directory_inputs().home;
    return home.empty() ? std::string() : home + "/.config";
}

std::string default_config_path() {
    const std::string place = config_home();
    return place.empty() ? std::string() : place + "/livesock/livesock.toml";
}

std::string preferred_directory(const DirectoryInputs& inputs) {
    if (!inputs.livesock_dir.empty())
        return without_trailing_slashes(inputs.livesock_dir);
    const std::string rest = "/livesock/" + inputs.nodename;
    if (inputs.xdg_state_home.starts_with('/'))
        return inputs.xdg_state_home + rest;
    return inputs.home.starts_with('/') ? inputs.home + "/.local/state" + rest : std::string();
}

Result<std::vector<std::string>> directory_choices(const DirectoryInputs& inputs) {
    const std::string preferred = preferred_directory(inputs);
    if (!inputs.livesock_dir.empty() && !preferred.starts_with('/'))
        return Error{fmt::format("{} is '{}': it must be an absolute path", directory_variable,
                                 inputs.livesock_dir)};
    std::vector<std::string> choices{preferred};
    if (inputs.xdg_runtime_dir.starts_with('/'))
        choices.push_back(without_trailing_slashes(inputs.xdg_runtime_dir) + "/livesock");
    choices.push_back(fmt::format("/tmp/livesock-{}", inputs.uid));
    std::erase_if(choices,
                  [](const std::string& path) { return !path.starts_with('/') || !fits(path); });
    return choices;
}

Result<UniqueFd> open_private_directory(const std::string& path) {
    // O_PATH: one that is closed to us tells its owner and mode all the same.
    UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd && (errno == ENOTDIR || errno == ELOOP))
        return Error{fmt::format("'{}' is not a directory (a symbolic link is none either): remove "
                                 "it or set {} to a directory of your own",
                                 path, directory_variable),
                     ENOTDIR};
    struct stat status {};
    if (!fd && errno == EACCES)
        return Error{fmt::format("you may not enter the directory of '{}': set {} to a directory "
                                 "of your own",
                                 path, directory_variable),
                     EACCES};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return system_error(fmt::format("cannot use the directory '{}'", path), errno);
    if (status.st_uid != ::geteuid())
        return Error{fmt::format("'{}' belongs to uid {}, not to you: remove it or set {} to a "
                                 "directory of your own",
                                 path, status.st_uid, directory_variable),
                     EPERM};
    if ((status.st_mode & S_ISVTX) != 0 || path == "/")
        return Error{fmt::format("'{0}' is shared with others: set {1} to a directory of your own, "
                                 "such as '{0}/livesock'",
                                 path == "/" ? "" : path, directory_variable),
                     EPERM};
    // Not 07777: in a set-group-ID directory mkdir(2) sets that bit, which chmod(1) does not clear.
    if ((status.st_mode & 0777) != S_IRWXU)
        return Error{
            fmt::format("'{0}' has mode {1:04o}, expected 0700, yours alone: chmod 700 '{0}'", path,
                        status.st_mode & 0777),
            EPERM};
    return fd;
}

Result<RuntimeDir> RuntimeDir::make(const std::string& path) {
    if (Result<void> parents = make_parents(path); !parents)
        return parents.error();
    if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST)
        return system_error(fmt::format("cannot make the directory '{}'", path), errno);
    const Result<UniqueFd> checked = open_private_directory(path);
    if (!checked)
        return Error{checked.error().message, EPERM};
    return RuntimeDir(path);
}

Result<SupervisorLock> SupervisorLock::acquire(const RuntimeDir& directory) {
    const std::string path = directory.entry(lock_name);
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!fd)
        return cannot_open_own(path, "our lock", errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        const int code = errno;
        if (code != EWOULDBLOCK)
            return system_error(fmt::format("cannot lock '{}'", path), code);
        // One that has only just begun has not left its pid yet.
        char holder[16] = {};
        const ssize_t count = ::pread(fd.get(), holder, sizeof holder - 1, 0);
        return Error{count <= 0 ? "already running"
                                : fmt::format("already running, pid {}", std::atoi(holder)),
                     code};
    }
    SupervisorLock lock(std::move(fd));
    lock.note_holder();
    return lock;
}

/// For the message above only, and not worth a failure on a full disk: the lock is what counts, it
/// ends with its holder.
void SupervisorLock::note_holder() const {
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd_.get(), 0) == 0) [[maybe_unused]]
        const ssize_t written = ::pwrite(fd_.get(), pid.data(), pid.size(), 0);
}

bool SupervisorLock::is_lock_of(const RuntimeDir& directory) const {
    struct stat held {};
    struct stat named {};
    return ::fstat(fd_.get(), &held) == 0 &&
           ::stat(directory.entry(lock_name).c_str(), &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

Result<ClaimedDir> claim_first(const std::vector<std::string>& choices, std::string_view named) {
    Error last{"there is no place for the runtime directory: set LIVESOCK_DIR to a directory of "
               "your own with a path of at most 90 bytes"};
    for (const std::string& path : choices) {
        Result<RuntimeDir> directory = RuntimeDir::make(path);
        Result<SupervisorLock> lock = directory ? SupervisorLock::acquire(*directory)
                                                : Result<SupervisorLock>(directory.error());
        if (!lock && (path == named || !is_not_writable(lock.error().code)))
            return advised(lock.error());
        if (!lock) {
            last = lock.error();
            continue;
        }
        Result<void> trial = try_socket(*directory);
        if (trial)
            return ClaimedDir{std::move(*directory), std::move(*lock)};
        if (!refuses_sockets(trial.error().code))
            return trial.error();
        last = trial.error();
    }
    return last;
}

} // namespace livesock
