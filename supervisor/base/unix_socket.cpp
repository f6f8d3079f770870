#include "supervisor/base/unix_socket.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/peer.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace livesock {
namespace {

/// The kernel cuts this to net.core.somaxconn; clients beyond it get EAGAIN or wait.
constexpr int unix_backlog = 4096;

/// What listen_at() binds is called so at first, and to the kernel for ever.
constexpr std::string_view temporary_suffix = ".new";

std::string temporary_of(const std::string& path) {
    return path + std::string(temporary_suffix);
}

/// The errno for which `path` cannot be an address, 0 if it can.
int refusal_of(const std::string& path) {
    if (path.size() > longest_socket_path)
        return ENAMETOOLONG;
    // unix(7): a path that begins with a NUL is an abstract address, one that has it later is cut.
    return path.empty() || path.find('\0') != std::string::npos ? EINVAL : 0;
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

} // namespace

Result<UniqueFd> dial(const std::string& path) {
    if (const int code = refusal_of(path); code != 0)
        return system_error(fmt::format("cannot connect to '{}'", escaped(path)), code);
    const sockaddr_un address = address_of(path);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return system_error("cannot make a socket", errno);
    // A Unix stream connect never is EINPROGRESS: it succeeds, fails, or says EAGAIN.
    if (::connect(fd.get(), generic(address), sizeof address) != 0)
        return system_error(fmt::format("cannot connect to '{}'", escaped(path)), errno);
    return fd;
}

Result<std::pair<UniqueFd, UniqueFd>> connected_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return system_error("cannot make a connection", errno);
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

std::string bound_path(int fd) {
    sockaddr_un address{};
    socklen_t length = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        address.sun_family != AF_UNIX)
        return {};
    return {address.sun_path, ::strnlen(address.sun_path, sizeof address.sun_path)};
}

std::string made_path(int fd) {
    const std::string bound = bound_path(fd);
    return bound.ends_with(temporary_suffix)
               ? bound.substr(0, bound.size() - temporary_suffix.size())
               : std::string();
}

bool is_hung_up(int fd) {
    pollfd state{.fd = fd, .events = 0, .revents = 0};
    return ::poll(&state, 1, 0) == 1;
}

bool is_shortage(int code) {
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

bool would_block(int code) {
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

Result<UniqueFd> listen_at(const std::string& path) {
    const std::string temporary = temporary_of(path);
    if (const int code = refusal_of(path.empty() ? path : temporary); code != 0)
        return system_error(fmt::format("cannot listen at '{}'", escaped(path)), code);
    const sockaddr_un address = address_of(temporary);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return system_error("cannot make a socket", errno);
    ::unlink(temporary.c_str());
    // fchmod on the unbound socket sets the mode that bind() gives the name: no umask to change,
    // no moment at which others could connect.
    if (::fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0 ||
        ::bind(fd.get(), generic(address), sizeof address) != 0 ||
        ::listen(fd.get(), unix_backlog) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const int code = errno;
        ::unlink(temporary.c_str());
        return system_error(fmt::format("cannot listen at '{}'", escaped(path)), code);
    }
    return fd;
}

Result<UniqueFd> listen_in_place_of_dead(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode))
        return Error{fmt::format("'{}' is not our socket: remove it", escaped(path)), EEXIST};
    const Result<UniqueFd> served = dial(path);
    if (!served && served.error().code != EAGAIN)
        return listen_at(path);
    return Error{fmt::format("'{}' is served by another process: end that first", escaped(path)),
                 EADDRINUSE};
}

std::string own_socket_at(const std::string& path) {
    char resolved[PATH_MAX];
    struct stat status {};
    if (::realpath(path.c_str(), resolved) == nullptr || ::lstat(resolved, &status) != 0 ||
        !S_ISSOCK(status.st_mode) || status.st_uid != ::geteuid())
        return {};
    for (std::string directory = resolved; directory.rfind('/') > 0;) {
        directory.erase(directory.rfind('/'));
        const bool is_known = ::lstat(directory.c_str(), &status) == 0;
        const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
        if (!is_known || !is_trusted_uid(status.st_uid) ||
            (others_write && (status.st_mode & S_ISVTX) == 0))
            return {};
    }
    return resolved;
}

} // namespace livesock
