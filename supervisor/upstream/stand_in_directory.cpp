#include "supervisor/upstream/stand_in_directory.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/file.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <climits>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

namespace livesock {
namespace {

Error refused_directory(const std::string& path, const std::string& why) {
    return Error{fmt::format("'{}' {}", escaped(path), why), EPERM};
}

bool others_write(const struct stat& status) {
    return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

Result<void> check_session(const std::string& path, const struct stat& status) {
    if (status.st_uid != ::geteuid())
        return refused_directory(
            path, fmt::format("belongs to uid {}: whoever that is has taken the name of "
                              "a login of yours; log in anew",
                              status.st_uid));
    if ((status.st_mode & 0777) != 0700)
        return refused_directory(path,
                                 fmt::format("has mode {0:04o}, expected 0700: chmod 0700 '{1}'",
                                             status.st_mode & 0777, escaped(path)));
    return {};
}

Result<void> check_standing(PlaceKind kind, const std::string& path, const struct stat& status) {
    const bool is_sticky = kind == PlaceKind::shared && (status.st_mode & S_ISVTX) != 0;
    const bool is_roots = kind == PlaceKind::shared && status.st_uid == 0;
    if (status.st_uid != ::geteuid() && !is_roots)
        return refused_directory(path, fmt::format("belongs to uid {}", status.st_uid));
    if (others_write(status) && !is_sticky)
        return refused_directory(
            path, fmt::format("can be written to by others: chmod go-w '{}'", escaped(path)));
    return {};
}

std::string link_text(int directory, const std::string& name) {
    char text[PATH_MAX];
    const ssize_t size = ::readlinkat(directory, name.c_str(), text, sizeof text);
    return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

} // namespace

Result<StandInDirectory> StandInDirectory::open(PlaceKind kind, const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd && (errno == ENOTDIR || errno == ELOOP))
        return refused_directory(path, "is no real directory: remove what is there");
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return system_error(fmt::format("cannot open '{}'", escaped(path)), errno);
    const Result<void> checked = kind == PlaceKind::session ? check_session(path, status)
                                                            : check_standing(kind, path, status);
    if (!checked)
        return checked.error();
    return StandInDirectory(std::move(fd));
}

DirectoryEntry StandInDirectory::look(const std::string& name, const std::string& target) const {
    using Kind = DirectoryEntry::Kind;
    struct stat status {};
    if (::fstatat(fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? DirectoryEntry{}
                               : DirectoryEntry{.kind = Kind::other, .what = "not to be seen"};
    const auto is = [&](Kind kind, std::string what = {}, std::string link = {}) {
        return DirectoryEntry{kind, std::move(what), std::move(link), status.st_dev, status.st_ino};
    };
    if (status.st_uid != ::geteuid())
        return is(Kind::other, fmt::format("uid {}'s", status.st_uid));
    if (S_ISSOCK(status.st_mode))
        return is(Kind::socket);
    if (!S_ISLNK(status.st_mode))
        return is(Kind::other, "no socket");
    std::string link = link_text(fd(), name);
    if (link == target)
        return is(Kind::stand_in);
    return is(Kind::other, "a symlink that leads elsewhere", std::move(link));
}

Listener StandInDirectory::dial(const std::string& name) const {
    // The only way to connect relative to a directory. Of a name that is too long for it, nothing
    // is known.
    const Result<UniqueFd> dialled = livesock::dial(fmt::format("/proc/self/fd/{}/{}", fd(), name));
    if (!dialled) {
        const int code = dialled.error().code;
        if (code == ECONNREFUSED || code == ENOENT)
            return Listener::none;
        return code == EAGAIN ? Listener::answers : Listener::unknown;
    }
    const Result<Peer> peer = peer_of(dialled->get());
    if (!peer)
        return Listener::unknown;
    return is_trusted_uid(peer->uid) ? Listener::answers : Listener::stranger;
}

std::vector<std::string> StandInDirectory::names() const {
    std::vector<std::string> names;
    UniqueFd again(::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const OpenDirectory directory(again ? ::fdopendir(again.get()) : nullptr);
    if (!directory)
        return names;
    static_cast<void>(again.release()); // closedir() closes it
    while (const dirent* const entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            names.emplace_back(name);
    }
    return names;
}

} // namespace livesock
