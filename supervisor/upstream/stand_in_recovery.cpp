// What a predecessor left, and putting it right: the states are those in stand_in.cpp.
#include "supervisor/upstream/stand_in.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

using Kind = DirectoryEntry::Kind;

constexpr std::string_view agent_socket_ending = "/agent.sock";

/// Most of what is in /tmp need not be looked at.
bool may_be_ours(std::string_view name) {
    return name.starts_with("agent.") || name.starts_with("s.") ||
           name.starts_with("vscode-ssh-auth-") || name.starts_with(StandInFiles::temporary_prefix);
}

/// Whether a symlink led to the stable socket of a supervisor that is no more: one of this user's
/// with another runtime directory.
bool led_to_supervisor(const DirectoryEntry& entry) {
    if (!entry.link.starts_with('/') || !entry.link.ends_with(agent_socket_ending))
        return false;
    const Result<UniqueFd> served = livesock::dial(entry.link);
    return !served && (served.error().code == ENOENT || served.error().code == ECONNREFUSED ||
                       served.error().code == ENOTDIR);
}

} // namespace

void StandInFiles::clear_workshop(const StandInDirectory& tmp, const std::string& name) const {
    if (const auto workshop = StandInDirectory::open(PlaceKind::session, places_.tmp + '/' + name))
        for (const std::string& entry : workshop->names())
            unlink_ours(*workshop, entry);
    ::unlinkat(tmp.fd(), name.c_str(), AT_REMOVEDIR);
}

void StandInFiles::for_each_directory(
    const std::function<void(PlaceKind, const std::string&)>& visit) const {
    if (const auto tmp = StandInDirectory::open(PlaceKind::shared, tmp_)) {
        for (const std::string& name : tmp->names())
            if (name.starts_with("ssh-"))
                visit(PlaceKind::session, places_.tmp + '/' + name);
        visit(PlaceKind::shared, places_.tmp);
    }
    if (!places_.home.empty())
        visit(PlaceKind::kept, places_.home + "/.ssh/agent");
    if (!places_.runtime.empty())
        visit(PlaceKind::kept, places_.runtime);
}

/// The path that `name`, which says that it is set aside, had before; nothing if it has another
/// shape.
std::optional<ForwardedPath> StandInFiles::path_of_aside(const std::string& directory,
                                                         std::string_view name) const {
    if (!name.ends_with(aside_suffix))
        return std::nullopt;
    name.remove_suffix(aside_suffix.size());
    return parse_forwarded(places_, fmt::format("{}/{}", directory, name));
}

std::vector<ForwardedPath> StandInFiles::set_aside_now() const {
    std::vector<ForwardedPath> found;
    for_each_directory([&](PlaceKind kind, const std::string& path) {
        const Result<StandInDirectory> directory = open(kind, path);
        if (!directory)
            return;
        for (const std::string& name : directory->names()) {
            auto whole = path_of_aside(path, name);
            if (whole && directory->look(name, target_).kind == Kind::socket &&
                directory->look(whole->name, target_).kind == Kind::stand_in)
                found.push_back(std::move(*whole));
        }
    });
    return found;
}

std::vector<ForwardedPath> StandInFiles::recover(const std::set<std::string>& hung) {
    std::vector<ForwardedPath> standing;
    if (const auto tmp = StandInDirectory::open(PlaceKind::shared, tmp_))
        for (const std::string& name : tmp->names())
            if (name.starts_with(temporary_prefix))
                clear_workshop(*tmp, name);
    for_each_directory([&](PlaceKind kind, const std::string& path) {
        if (const Result<StandInDirectory> directory = open(kind, path))
            recover_in(*directory, kind, path, hung, standing);
    });
    return standing;
}

/// Stand-ins of a supervisor that is no more lead to us from now on.
void StandInFiles::adopt(const StandInDirectory& directory, const ForwardedPath& path) {
    const DirectoryEntry entry = directory.look(path.name, target_);
    if (entry.kind != Kind::other || !led_to_supervisor(entry))
        return;
    if (const Result<void> done = replace(directory, path); !done)
        log::warning("{}", done.error().message);
    else
        log::info("the stand-in at '{}' led to '{}', which nobody serves: it leads to us now",
                  escaped(path.path()), escaped(entry.link));
}

void StandInFiles::recover_in(const StandInDirectory& directory, PlaceKind kind,
                              const std::string& path, const std::set<std::string>& hung,
                              std::vector<ForwardedPath>& standing) {
    std::vector<std::string> names = directory.names();
    std::erase_if(names, [](const std::string& name) { return !may_be_ours(name); });
    bool has_removed = false;
    for (const std::string& name : names)
        if (path_of_aside(path, name) || parse_forwarded(places_, path + '/' + name))
            adopt(directory, {kind, path, name});
    for (const std::string& name : names) {
        const auto whole = path_of_aside(path, name);
        if (!name.ends_with(aside_suffix) || (whole && hung.contains(whole->path())))
            continue;
        const Kind found = directory.look(name, target_).kind;
        if (found == Kind::stand_in)
            unlink_ours(directory, name);
        else if (found == Kind::socket && whole && !drop_dead_aside(*whole))
            if (const Result<void> done = put_back(*whole); !done)
                log::warning("{}", done.error().message);
        has_removed = has_removed || found == Kind::stand_in;
    }
    for (const std::string& name : names) {
        if (name.ends_with(aside_suffix) || directory.look(name, target_).kind != Kind::stand_in)
            continue;
        if (auto whole = parse_forwarded(places_, path + '/' + name)) {
            if (!hung.contains(whole->path()))
                standing.push_back(std::move(*whole));
        } else if (name.starts_with(temporary_prefix))
            unlink_ours(directory, name);
        else
            continue;
        has_removed = true;
    }
    if (kind == PlaceKind::session && has_removed && directory.names().empty())
        ::rmdir(path.c_str());
}

} // namespace livesock
