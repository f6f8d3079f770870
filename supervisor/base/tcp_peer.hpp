// Which user is at the other end of a TCP connection within this machine.
#pragma once

#include "supervisor/base/result.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/types.h>

namespace livesock {

/// The two ends of the TCP connection `fd`.
struct TcpEnds {
    sockaddr_storage own{};
    sockaddr_storage peer{};
};
[[nodiscard]] Result<TcpEnds> ends_of(int fd);

/// "127.0.0.1:7221", "[::1]:7221".
[[nodiscard]] std::string to_text(const sockaddr_storage& address);
/// Whether it is of 127.0.0.0/8, or ::1.
[[nodiscard]] bool is_loopback(const sockaddr_storage& address);

/// Whether the other end lies on this machine: its address is loopback's, or our own. Of what has
/// the address of this machine in another network namespace it is not, nor of what is no TCP.
[[nodiscard]] bool is_this_machine(const TcpEnds& ends);

/// The user whose process holds the other end of the connection, which must lie in this network
/// namespace: asked of the kernel for this one connection (sock_diag(7)) or, where it does not
/// offer that, found in /proc/net/tcp. Nothing if the other end is not held by a process any more,
/// as when it was closed right after the request: the kernel would call its owner root then.
/// Never waits.
[[nodiscard]] std::optional<uid_t> uid_of_peer(const TcpEnds& ends);

/// The same of a server: before it has accepted the connection, the user whose listening socket it
/// goes to.
[[nodiscard]] std::optional<uid_t> uid_of_server(const TcpEnds& ends);

/// Any user of this machine can listen where a server is to be. Error if the other end of `fd`, a
/// connection that we have made to `name`, lies on this machine, and is no process of this user, of
/// root, or of one of `uids`.
[[nodiscard]] Result<void> check_server(int fd, std::span<const uid_t> uids,
                                        const std::string& name);

/// As uid_of_server(), of a connection that nobody has accepted, from `table`.
[[nodiscard]] std::optional<uid_t> listener_in_table(std::string_view table, const TcpEnds& ends);

/// As uid_of_peer(), from `table`, the text of /proc/net/tcp or tcp6.
[[nodiscard]] std::optional<uid_t> uid_in_table(std::string_view table, const TcpEnds& ends);

} // namespace livesock
