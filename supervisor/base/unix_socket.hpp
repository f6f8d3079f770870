// Unix stream sockets: dialling without blocking, listening privately.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <string>
#include <utility>

namespace livesock {

/// The longest path that fits sun_path with its NUL (unix(7)).
inline constexpr std::size_t longest_socket_path = 107;

/// Connects to the stream socket at `path` without ever waiting. Error::code is the errno of
/// connect(2): EAGAIN means that the listener's backlog is full, ENOENT and ECONNREFUSED that
/// nobody is there, ENAMETOOLONG and EINVAL (empty, or a NUL in it) that `path` cannot be an
/// address. The descriptor is non-blocking and close-on-exec.
[[nodiscard]] Result<UniqueFd> dial(const std::string& path);

/// Two stream sockets that are connected to each other, non-blocking and close-on-exec.
[[nodiscard]] Result<std::pair<UniqueFd, UniqueFd>> connected_pair();

/// The path that the Unix socket `fd` is bound to; empty if it has none.
[[nodiscard]] std::string bound_path(int fd);

/// The path at which listen_at() has made the socket `fd`; empty if it was not made by that.
[[nodiscard]] std::string made_path(int fd);

/// Whether the other end of the connection `fd` is closed altogether, and not only its writing
/// half.
[[nodiscard]] bool is_hung_up(int fd);

/// Whether the errno `code` of a socket call says that descriptors or memory are short: the fault
/// is ours or the machine's, and says nothing about the other end.
[[nodiscard]] bool is_shortage(int code);

/// Whether the errno `code` of a call on a non-blocking socket only says "not now".
[[nodiscard]] bool would_block(int code);

/// Listens at `path` with mode 0600 from the first moment, in place of whatever name was there:
/// the socket is made under a temporary name beside it and renamed over it, so that `path` never
/// leads nowhere. Callers see to it (RuntimeDir's lock) that no live listener is replaced.
[[nodiscard]] Result<UniqueFd> listen_at(const std::string& path);

/// listen_at(), unless somebody serves `path` (Error::code EADDRINUSE), or what is there is no
/// socket (EEXIST).
[[nodiscard]] Result<UniqueFd> listen_in_place_of_dead(const std::string& path);

/// The path, without symlinks, of the socket to which `path` leads, if it is this user's and nobody
/// but the user and root can put another in its place: whoever may write to a directory above it,
/// unless that is sticky, or owns it. Empty if it is not so. The path given may lead elsewhere the
/// next moment, and this one not: it is the one to be used.
[[nodiscard]] std::string own_socket_at(const std::string& path);

} // namespace livesock
