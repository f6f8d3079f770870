#include "supervisor/upstream/stand_in.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

// A SIGKILL may come between any two of the calls below. So a path changes by a single rename, from
// one complete state to another, and all else that is ever there says by its name or by where it
// leads that it is ours and what becomes of it (recover()):
//
//   NAME -> target, no NAME.hung             a stand-in for a dead agent
//   NAME -> target, socket NAME.hung         one for a hung agent; the socket goes back to NAME
//   socket NAME, NAME.hung -> target         before setting aside, after putting back: NAME.hung
//   goes no NAME, socket NAME.hung                sshd has removed "its" socket at logout: goes or
//   goes back .livesock-stand-in-* -> target           about to become a stand-in: goes
//   /tmp/.livesock-stand-in-*/               a login's directory in the making or going: goes

namespace livesock {
namespace {

using Kind = DirectoryEntry::Kind;

constexpr std::string_view temporary_prefix = ".livesock-stand-in-";

/// A name that nobody in /tmp can have taken beforehand.
std::string temporary_name() {
    std::uint64_t number = 0;
    ::randombytes_buf(&number, sizeof number);
    return fmt::format("{}{:016x}", temporary_prefix, number);
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

/// Most of what is in /tmp need not be looked at.
bool may_be_ours(std::string_view name) {
    return name.starts_with("agent.") || name.starts_with("s.") ||
           name.starts_with("vscode-ssh-auth-") || name.starts_with(temporary_prefix);
}

std::string last_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

} // namespace

StandInFiles::StandInFiles(ForwardedPlaces places, std::string target)
    : places_(std::move(places))
    , target_(std::move(target)) {}

Result<StandInFiles::Made> StandInFiles::stand_in(const ForwardedPath& path) {
    const Result<StandInDirectory> directory = StandInDirectory::open(path.kind, path.directory);
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
    const Result<StandInDirectory> tmp = StandInDirectory::open(PlaceKind::shared, places_.tmp);
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
    const Result<StandInDirectory> directory = StandInDirectory::open(path.kind, path.directory);
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
    else if (!same_file(directory->look(aside, target_), socket) && exchange())
        done = refused(path, "was replaced meanwhile: it is left alone");
    if (!done)
        unlink_ours(*directory, aside);
    return done;
}

Result<void> StandInFiles::put_back(const ForwardedPath& path) {
    const std::string aside = aside_name(path);
    const Result<StandInDirectory> directory = StandInDirectory::open(path.kind, path.directory);
    if (!directory)
        return directory.error();
    if (directory->look(aside, target_).kind != Kind::socket)
        return refused(path, "has no socket set aside", ENOENT);
    const Kind present = directory->look(path.name, target_).kind;
    if (present != Kind::missing && present != Kind::stand_in)
        return refused(path,
                       fmt::format("is taken: its agent stays at '{}'", escaped(aside_path(path))),
                       EEXIST);
    const unsigned how = present == Kind::missing ? RENAME_NOREPLACE : RENAME_EXCHANGE;
    if (::renameat2(directory->fd(), aside.c_str(), directory->fd(), path.name.c_str(), how) != 0)
        return failed(path, "give its agent back", errno);
    between_steps();
    unlink_ours(*directory, aside);
    return {};
}

bool StandInFiles::drop_dead_aside(const ForwardedPath& path) {
    const std::string aside = aside_name(path);
    const Result<StandInDirectory> directory = StandInDirectory::open(path.kind, path.directory);
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
    const Result<StandInDirectory> directory = StandInDirectory::open(path.kind, path.directory);
    return directory && directory->look(path.name, target_).kind == Kind::stand_in;
}

void StandInFiles::remove(const ForwardedPath& path) {
    const Result<StandInDirectory> directory = StandInDirectory::open(path.kind, path.directory);
    if (!directory || directory->look(path.name, target_).kind != Kind::stand_in)
        return;
    if (path.kind == PlaceKind::session && directory->names().size() == 1 &&
        remove_session(*directory, path))
        return;
    unlink_ours(*directory, path.name);
}

/// The reverse of make_session(): the directory vanishes with what is in it.
bool StandInFiles::remove_session(const StandInDirectory& directory, const ForwardedPath& path) {
    const Result<StandInDirectory> tmp = StandInDirectory::open(PlaceKind::shared, places_.tmp);
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

void StandInFiles::clear_workshop(const StandInDirectory& tmp, const std::string& name) const {
    if (const auto workshop = StandInDirectory::open(PlaceKind::session, places_.tmp + '/' + name))
        for (const std::string& entry : workshop->names())
            unlink_ours(*workshop, entry);
    ::unlinkat(tmp.fd(), name.c_str(), AT_REMOVEDIR);
}

std::vector<ForwardedPath> StandInFiles::recover() {
    std::vector<ForwardedPath> standing;
    if (const auto tmp = StandInDirectory::open(PlaceKind::shared, places_.tmp)) {
        for (const std::string& name : tmp->names()) {
            if (name.starts_with(temporary_prefix))
                clear_workshop(*tmp, name);
            else if (name.starts_with("ssh-"))
                recover_in(PlaceKind::session, places_.tmp + '/' + name, standing);
        }
        recover_in(PlaceKind::shared, places_.tmp, standing);
    }
    if (!places_.home.empty())
        recover_in(PlaceKind::kept, places_.home + "/.ssh/agent", standing);
    if (!places_.runtime.empty())
        recover_in(PlaceKind::kept, places_.runtime, standing);
    return standing;
}

void StandInFiles::recover_in(PlaceKind kind, const std::string& path,
                              std::vector<ForwardedPath>& standing) {
    const Result<StandInDirectory> directory = StandInDirectory::open(kind, path);
    if (!directory)
        return;
    std::vector<std::string> names = directory->names();
    std::erase_if(names, [](const std::string& name) { return !may_be_ours(name); });
    bool has_removed = false;
    for (const std::string& name : names) {
        if (!name.ends_with(aside_suffix))
            continue;
        const Kind found = directory->look(name, target_).kind;
        const auto whole = parse_forwarded(
            places_, path + '/' + name.substr(0, name.size() - aside_suffix.size()));
        if (found == Kind::stand_in)
            unlink_ours(*directory, name);
        else if (found == Kind::socket && whole && !drop_dead_aside(*whole))
            static_cast<void>(put_back(*whole)); // refused: its name is another's now
        has_removed = has_removed || found == Kind::stand_in;
    }
    for (const std::string& name : names) {
        if (name.ends_with(aside_suffix) || directory->look(name, target_).kind != Kind::stand_in)
            continue;
        if (auto whole = parse_forwarded(places_, path + '/' + name))
            standing.push_back(std::move(*whole));
        else if (name.starts_with(temporary_prefix))
            unlink_ours(*directory, name);
        else
            continue;
        has_removed = true;
    }
    if (kind == PlaceKind::session && has_removed && directory->names().empty())
        ::rmdir(path.c_str());
}

} // namespace livesock
