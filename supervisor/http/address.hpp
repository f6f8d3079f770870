// Where an HTTP listener listens: an Endpoint ("127.0.0.1:7221"), or a path ("unix:/path").
#pragma once

#include "supervisor/base/endpoint.hpp"
#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <string>
#include <string_view>

#include <sys/types.h>

namespace livesock {

/// A place to listen at.
struct ListenAddress {
    std::string path;  ///< of a Unix socket, absolute; empty for another
    Endpoint endpoint; ///< where there is no path

    bool is_unix() const { return !path.empty(); }
    bool operator==(const ListenAddress&) const = default;
};

/// What tcp_endpoint() takes, or "unix:PATH" (absolute). The error says what was expected.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

/// As a person writes it; for TCP and paths what parse_listen_address() takes.
[[nodiscard]] std::string to_text(const ListenAddress& address);

/// Whether only this machine can reach it: a Unix socket, 127.0.0.0/8 or ::1.
[[nodiscard]] bool is_local(const ListenAddress& address);

/// Listens at a path that the user has chosen. The socket has the permissions `mode`, and replaces
/// what is there only if that is a socket of this user on which nobody listens; nobody else may be
/// able to rename things in its directory. Error::code is EADDRINUSE where somebody else listens.
[[nodiscard]] Result<UniqueFd> listen_at_chosen(const std::string& path, mode_t mode = 0600);

/// listen_at_chosen(), or listen_on().
[[nodiscard]] Result<UniqueFd> listen_at(const ListenAddress& address, mode_t mode = 0600);

/// Gives the Unix socket at `path` the permissions `mode`. Nothing but a socket of this user is
/// touched, and no symlink followed.
[[nodiscard]] Result<void> set_socket_mode(const std::string& path, mode_t mode);

} // namespace livesock
