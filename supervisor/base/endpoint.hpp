// Addresses of stream sockets that are no paths: TCP and vsock, numeric ones only.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace livesock {

/// An address as the kernel takes it. Made by the functions below, or empty.
struct Endpoint {
    sockaddr_storage address{};
    socklen_t length = 0;
    /// As a person writes it, in its shortest form: "127.0.0.1:4000", "[::1]:4000", "vsock:2:4000".
    std::string text;

    bool is_tcp() const { return address.ss_family == AF_INET || address.ss_family == AF_INET6; }
    bool operator==(const Endpoint& other) const { return text == other.text; }
};

/// The endpoint "ADDR:PORT", where ADDR is an IPv4 address, an IPv6 address in brackets, or
/// "localhost", which is 127.0.0.1. No other name is looked up: that would have to be waited for.
/// The error is what was expected.
[[nodiscard]] Result<Endpoint> tcp_endpoint(std::string_view text);

/// The endpoint "CID:PORT" of vsock(7); a CID is a number, "host" (2), "local" (1) or, to listen
/// on, "any". The error is what was expected.
[[nodiscard]] Result<Endpoint> vsock_endpoint(std::string_view text);

/// Whether only processes of this machine can connect to, or listen at, `endpoint`.
[[nodiscard]] bool is_loopback(const Endpoint& endpoint);

/// Whether what connects to `there` comes to what listens at `here`, as far as addresses tell: they
/// are the same, or one of them stands for all addresses of this machine and the other is one that
/// any machine has. (The machine's other addresses are not looked up.)
[[nodiscard]] bool leads_to(const Endpoint& there, const Endpoint& here);

/// A socket that is being connected to `endpoint`: it can be written when it is, or when that has
/// failed, see connect_error(). It is tune_connection()ed.
[[nodiscard]] Result<UniqueFd> begin_connect(const Endpoint& endpoint);

/// The errno with which the connecting of `fd` has failed; 0 if it has not.
[[nodiscard]] int connect_error(int fd);

/// Listens at `endpoint`. Error::code is the errno of bind(2) or listen(2).
[[nodiscard]] Result<UniqueFd> listen_on(const Endpoint& endpoint);

/// Has small messages sent at once, and a peer that has vanished noticed; without effect on what is
/// no TCP connection.
void tune_connection(int fd);

/// The CID (vsock(7)) at the other end of `fd`; nothing if it has none.
[[nodiscard]] std::optional<unsigned> peer_cid(int fd);

} // namespace livesock
