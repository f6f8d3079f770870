#include "supervisor/upstream/stand_in.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

// A SIGKILL may come between any two of the calls below. So a path changes by a single rename, from
// one complete state to another, and all else that is ever there says by its name or by where it
// leads that it is ours and what becomes of it (recover()):
//
// clang-format off
//   NAME -> target, no NAME.hung         a stand-in for a dead agent
//   NAME -> target, socket NAME.hung     one for a hung agent; the socket goes back to NAME
//   socket NAME, NAME.hung -> target     before setting aside, after putting back: NAME.hung goes
//   no NAME, socket NAME.hung            sshd has removed "its" socket at logout: goes or goes back
//   .livesock-stand-in-* -> target       about to become a stand-in: goes
//   /tmp/.livesock-stand-in-*/           a login's directory in the making or going: goes
// clang-format on

namespace livesock {
namespace {

using Kind = DirectoryEntry::Kind;

/// A name that nobody in /tmp can have taken beforehand.
std::string temporary_name() {
    std::uint64_t number = 0;
    ::randombytes_buf(&number, sizeof number);
    return fmt::format("{}{:016x}", StandInFiles::temporary_prefix, number);
}

Error refused(const ForwardedPath& path, const std::string& why, int code = EPERM) {
    return Error{fmt::format("'{}' {}", escaped(path.path()), why), code};
}

Error failed(const ForwardedPath& path, const char* what, int code) {
    if (code == EINVAL)
        return refused(path, "lies on a file system that cannot exchange two names", code);
    return system_error(fmt::format("cannot {} '{}'", what, escaped(path.path())), code);
}

Error not_ours(const ForwardedPath& path, const DirectoryEntry& entry) {
    return refused(
        path, fmt::format("is {}: it is left alone; remove it if nobody needs it", entry.what));
}

bool same_file(const DirectoryEntry& a, const DirectoryEntry& b) {
    return a.device == b.device && a.inode == b.inode;
}

/// Where `path` leads: /tmp may be a symlink.
std::string resolved(const std::string& path) {
    char real[PATH_MAX];
    return ::realpath(path.c_str(), real) == nullptr ? path : real;
}

std::string last_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

} // namespace

StandInFiles::StandInFiles(ForwardedPlaces places, std::string target)
    : places_(std::move(places))
    , target_(std::move(target))
    , tmp_(resolved(places_.tmp)) {}

Result<StandInFiles::Made> StandInFiles::stand_in(const ForwardedPath& path) {
    const Result<StandInDirectory> directory = open(path.kind, path.directory);
    if (!directory && directory.error().code == ENOENT && path.kind == PlaceKind::session)
        return make_session(path);
    if (!directory)
        return directory.error();
    const DirectoryEntry entry = directory->look(path.name, target_);
    if (entry.kind == Kind::stand_in)
        return Made::before;
    if (entry.kind == Kind::other)
        return not_ours(path, entry);
    if (entry.kind == Kind::socket) {
        const Listener listener = directory->dial(path.name);
        if (listener == Listener::answers)
            return Made::answers;
        if (listener == Listener::stranger)
            return refused(path, "is served by another user: it is left alone");
        if (listener == Listener::unknown)
            return refused(path, "does not say whether somebody listens: it is left alone");
    }
    const Result<void> made =
        entry.kind == Kind::socket ? replace(*directory, path) : link(*directory, path.name);
    if (!made)
        return failed(path, "make a stand-in at", made.error().code);
    return Made::now;
}

/// A directory appears with its stand-in in it, or not at all.
Result<StandInFiles::Made> StandInFiles::make_session(const ForwardedPath& path) {
    const Result<StandInDirectory> tmp = StandInDirectory::open(PlaceKind::shared, tmp_);
    if (!tmp)
        return tmp.error();
    const std::string name = temporary_name();
    if (::mkdirat(tmp->fd(), name.c_str(), 0700) != 0)
        return failed(path, "make the directory of", errno);
    between_steps();
    const Result<StandInDirectory> workshop =
        StandInDirectory::open(PlaceKind::session, places_.tmp + '/' + name);
    Result<void> made = workshop ? link(*workshop, path.name) : workshop.error();
    between_steps();
    if (made && ::renameat2(tmp->fd(), name.c_str(), tmp->fd(), last_name(path.directory).c_str(),
                            RENAME_NOREPLACE) != 0)
        made = failed(path, "make the directory of", errno);
    if (made)
        return Made::now;
    clear_workshop(*tmp, name);
    return made.error();
}

Result<void> StandInFiles::replace(const StandInDirectory& directory, const ForwardedPath& path) {
    const std::string temporary = temporary_name();
    if (Result<void> linked = link(directory, temporary); !linked)
        return linked;
    between_steps();
    if (::renameat(directory.fd(), temporary.c_str(), directory.fd(), path.name.c_str()) == 0)
        return {};
    const int code = errno;
    unlink_ours(directory, temporary);
    return failed(path, "replace", code);
}

Result<void> StandInFiles::link(const StandInDirectory& directory, const std::string& name) const {
    if (::symlinkat(target_.c_str(), directory.fd(), name.c_str()) != 0)
        return system_error(fmt::format("cannot make a symlink '{}'", escaped(name)), errno);
    return {};
}

void StandInFiles::unlink_ours(const StandInDirectory& directory, const std::string& name) const {
    if (directory.look(name, target_).kind == Kind::stand_in)
        ::unlinkat(directory.fd(), name.c_str(), 0);
}

Result<void> StandInFiles::set_aside(const ForwardedPath& path) {
    const std::string aside = aside_name(path);
    if (aside_path(path).size() > longest_socket_path)
        return refused(path, "is too long to be set aside under another name", ENAMETOOLONG);
    const Result<StandInDirectory> directory = open(path.kind, path.directory);
    if (!directory)
        return directory.error();
    const DirectoryEntry socket = directory->look(path.name, target_);
    if (socket.kind == Kind::missing)
        return refused(path, "has vanished", ENOENT);
    if (socket.kind != Kind::socket)
        return refused(path, "is not the agent's socket any more: it is left alone");
    unlink_ours(*directory, aside);
    if (const Result<void> made = link(*directory, aside); !made)
        return failed({path.kind, path.directory, aside}, "make", made.error().code);
    between_steps();
    const auto exchange = [&] {
        return ::renameat2(directory->fd(), aside.c_str(), directory->fd(), path.name.c_str(),
                           RENAME_EXCHANGE) == 0;
    };
    Result<void> done;
    if (!exchange())
        done = failed(path, "set aside", errno);
    else if (!same_file(directory->look(aside, target_), socket))
        done = refused(path, exchange() ? "was replaced meanwhile: it is left alone"
                                        : "was replaced meanwhile, and what is there now has been "
                                          "renamed: see the name that ends in .hung");
    if (!done)
        unlink_ours(*directory, aside);
    return done;
}

Result<void> StandInFiles::put_back(const ForwardedPath& path) {
    const std::string aside = aside_name(path);
    const Result<StandInDirectory> directory = open(path.kind, path.directory);
    if (!directory)
        return directory.error();
    if (directory->look(aside, target_).kind != Kind::socket)
        return refused(path, "has no socket set aside", ENOENT);
    const Kind present = directory->look(path.name, target_).kind;
    if (present != Kind::missing && present != Kind::stand_in)
        return refused(path,
                       fmt::format("is taken: its agent stays at '{}'", escaped(aside_path(path))),
                       EEXIST);
    const auto renamed = [&](unsigned how) {
        return ::renameat2(directory->fd(), aside.c_str(), directory->fd(), path.name.c_str(),
                           how) == 0;
    };
    const bool is_exchanged = present == Kind::stand_in && renamed(RENAME_EXCHANGE);
    // sshd may have removed the stand-in at that very moment.
    if (!is_exchanged && (present == Kind::missing || errno == ENOENT)) {
        if (!renamed(RENAME_NOREPLACE))
            return failed(path, "give its agent back", errno == ENOENT ? EBUSY : errno);
    } else if (!is_exchanged) {
        return failed(path, "give its agent back", errno);
    }
    between_steps();
    unlink_ours(*directory, aside);
    return {};
}

bool StandInFiles::drop_dead_aside(const ForwardedPath& path) {
    const std::string aside = aside_name(path);
    const Result<StandInDirectory> directory = open(path.kind, path.directory);
    if (!directory)
        return directory.error().code == ENOENT;
    if (directory->look(aside, target_).kind == Kind::socket) {
        if (directory->dial(aside) != Listener::none)
            return false;
        ::unlinkat(directory->fd(), aside.c_str(), 0);
        between_steps();
    }
    if (path.kind == PlaceKind::session && directory->names().empty())
        ::rmdir(path.directory.c_str());
    return true;
}

bool StandInFiles::is_standing(const ForwardedPath& path) const {
    const Result<StandInDirectory> directory = open(path.kind, path.directory);
    return directory && directory->look(path.name, target_).kind == Kind::stand_in;
}

void StandInFiles::remove(const ForwardedPath& path) {
    const Result<StandInDirectory> directory = open(path.kind, path.directory);
    if (!directory || directory->look(path.name, target_).kind != Kind::stand_in)
        return;
    if (path.kind == PlaceKind::session && directory->names().size() == 1 &&
        remove_session(*directory, path))
        return;
    unlink_ours(*directory, path.name);
}

/// The reverse of make_session(): the directory vanishes with what is in it.
bool StandInFiles::remove_session(const StandInDirectory& directory, const ForwardedPath& path) {
    const Result<StandInDirectory> tmp = StandInDirectory::open(PlaceKind::shared, tmp_);
    const std::string name = temporary_name();
    if (!tmp || ::renameat2(tmp->fd(), last_name(path.directory).c_str(), tmp->fd(), name.c_str(),
                            RENAME_NOREPLACE) != 0)
        return false;
    between_steps();
    unlink_ours(directory, path.name);
    between_steps();
    ::unlinkat(tmp->fd(), name.c_str(), AT_REMOVEDIR);
    return true;
}

Result<StandInDirectory> StandInFiles::open(PlaceKind kind, const std::string& path) const {
    return StandInDirectory::open(kind, kind == PlaceKind::shared ? tmp_ : path);
}

} // namespace livesock
