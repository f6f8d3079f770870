#include "supervisor/upstream/socket_file.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

Error refused(const std::string& path, const std::string& why) {
    return Error{fmt::format("'{}' is refused: {}", escaped(path), why), EPERM};
}

Result<void> check_directory(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == 0 ? "/" : path.substr(0, slash);
    struct stat status {};
    if (::lstat(directory.c_str(), &status) != 0)
        return system_error(fmt::format("cannot look at '{}'", escaped(directory)), errno);
    if (status.st_uid != ::geteuid() && status.st_uid != 0)
        return refused(path, fmt::format("its directory belongs to uid {}", status.st_uid));
    const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (others_write && (status.st_mode & S_ISVTX) == 0)
        return refused(path, "others can write to its directory (chmod go-w)");
    return {};
}

} // namespace

Result<SocketFile> check_socket(const std::string& path) {
    char resolved[PATH_MAX];
    struct stat status {};
    if (::realpath(path.c_str(), resolved) == nullptr || ::lstat(resolved, &status) != 0)
        return system_error(fmt::format("cannot look at '{}'", escaped(path)), errno);
    if (!S_ISSOCK(status.st_mode))
        return refused(path, "it is not a socket");
    if (status.st_uid != ::geteuid())
        return refused(path, fmt::format("it belongs to uid {}", status.st_uid));
    if (Result<void> checked = check_directory(resolved); !checked)
        return checked.error();
    using namespace std::chrono;
    const auto since_epoch = seconds(status.st_mtim.tv_sec) + nanoseconds(status.st_mtim.tv_nsec);
    // A file time from the future, left by a clock that was wrong, would be the newest for ever.
    const auto made = system_clock::time_point(since_epoch);
    return SocketFile{path, resolved,
                      made > system_clock::now() ? system_clock::time_point() : made, status.st_dev,
                      status.st_ino};
}

bool is_same_file(const std::string& a, const std::string& b) {
    struct stat first {};
    struct stat second {};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool leads_to_any(const std::string& path, std::span<const std::string> files) {
    return std::any_of(files.begin(), files.end(),
                       [&](const std::string& file) { return is_same_file(path, file); });
}

Result<AgentConnection> dial_agent(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
        return refused(path, "a symlink has taken its place");
    Result<UniqueFd> fd = dial(path);
    if (!fd)
        return fd.error();
    const Result<Peer> peer = peer_of(fd->get());
    if (!peer)
        return peer.error();
    if (!is_trusted_uid(peer->uid))
        return refused(path, fmt::format("uid {} listens there", peer->uid));
    return AgentConnection{std::move(*fd), peer->pid};
}

} // namespace livesock
