#include "supervisor/http/address.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

constexpr std::string_view unix_prefix = "unix:";

/// listen_at() makes the socket under a longer name first.
constexpr std::size_t longest_path = longest_socket_path - std::string_view(".new").size();

Result<ListenAddress> parse_path(std::string_view path) {
    if (!path.starts_with('/') || path.find('\0') != std::string_view::npos || path.ends_with('/'))
        return Error{"an absolute path behind \"unix:\""};
    if (path.size() > longest_path)
        return Error{fmt::format("a path of at most {} bytes", longest_path)};
    return ListenAddress{.path = std::string(path), .endpoint = {}};
}

/// Whether nobody but this user and root can put something else at a name in the directory of
/// `path`.
Result<void> check_directory(const std::string& path) {
    const std::string directory = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0)
        return system_error(fmt::format("cannot listen at '{}'", escaped(path)), errno);
    const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (is_trusted_uid(status.st_uid) && (!others_write || (status.st_mode & S_ISVTX) != 0))
        return {};
    return Error{fmt::format("cannot listen at '{}': others may write to the directory '{}'",
                             escaped(path), escaped(directory)),
                 EPERM};
}

} // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
    if (text.starts_with(unix_prefix))
        return parse_path(text.substr(unix_prefix.size()));
    Result<Endpoint> endpoint = tcp_endpoint(text);
    if (!endpoint)
        return Error{"an address and a port, or a path, such as \"127.0.0.1:7221\", "
                     "\"[::1]:7221\" or \"unix:/home/me/.signing/sign.sock\"",
                     EINVAL};
    return ListenAddress{.path = {}, .endpoint = std::move(*endpoint)};
}

std::string to_text(const ListenAddress& address) {
    return address.is_unix() ? std::string(unix_prefix) + address.path : address.endpoint.text;
}

bool is_local(const ListenAddress& address) {
    return address.is_unix() || is_loopback(address.endpoint);
}

Result<void> set_socket_mode(const std::string& path, mode_t mode) {
    const std::string what = fmt::format("cannot give '{}' its permissions", escaped(path));
    // chmod() would go by the name, and follow a symlink that somebody has put there.
    const UniqueFd name(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!name || ::fstat(name.get(), &status) != 0)
        return system_error(what, errno);
    if (!S_ISSOCK(status.st_mode) || status.st_uid != ::geteuid())
        return Error{what + ": it is no socket of yours", EEXIST};
    if ((status.st_mode & 07777) != mode &&
        ::chmod(fmt::format("/proc/self/fd/{}", name.get()).c_str(), mode) != 0)
        return system_error(what, errno);
    return {};
}

Result<UniqueFd> listen_at_chosen(const std::string& path, mode_t mode) {
    if (Result<void> checked = check_directory(path); !checked)
        return checked.error();
    struct stat status {};
    const bool is_there = ::lstat(path.c_str(), &status) == 0;
    if (is_there && (!S_ISSOCK(status.st_mode) || !is_trusted_uid(status.st_uid)))
        return Error{
            fmt::format("cannot listen at '{}': there is something that is no socket of yours",
                        escaped(path)),
            EEXIST};
    if (is_there)
        if (const Result<UniqueFd> served = dial(path);
            served || served.error().code != ECONNREFUSED)
            return Error{fmt::format("cannot listen at '{}': somebody else does", escaped(path)),
                         EADDRINUSE};
    Result<UniqueFd> listener = listen_at(path);
    if (listener)
        if (Result<void> given = set_socket_mode(path, mode); !given)
            return given.error();
    return listener;
}

Result<UniqueFd> listen_at(const ListenAddress& address, mode_t mode) {
    return address.is_unix() ? listen_at_chosen(address.path, mode) : listen_on(address.endpoint);
}

} // namespace livesock
