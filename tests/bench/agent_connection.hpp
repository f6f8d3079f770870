// A client of an ssh agent, as cheap as one can be: what it costs is what the other side costs.
#pragma once

#include "supervisor/base/unique_fd.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

namespace livesock::bench {

using Bytes = std::vector<std::uint8_t>;

/// The address of the socket at `path`, which must fit.
[[nodiscard]] sockaddr_un socket_address(const std::string& path);

/// SSH_AGENTC_REQUEST_IDENTITIES (RFC 9987, 3.5), framed.
inline constexpr std::array<std::uint8_t, 5> list_request{0, 0, 0, 1, 11};

/// SSH_AGENTC_SIGN_REQUEST (RFC 9987, 3.6) for `key`, over as many bytes as ssh(1) signs when it
/// logs in, framed.
[[nodiscard]] Bytes sign_request(std::span<const std::uint8_t> key);

/// One blocking connection. Every failure is a Failure.
class AgentConnection {
  public:
    explicit AgentConnection(const sockaddr_un& address);

    /// Sends one framed request with one write and returns the whole framed answer, which stays
    /// valid until the next call on any connection. Throws Failure on SSH_AGENT_FAILURE too.
    std::span<const std::uint8_t> ask(std::span<const std::uint8_t> request);

    int fd() const { return fd_.get(); }

  private:
    UniqueFd fd_;
};

/// The public key blobs in an answer to list_request, in order.
[[nodiscard]] std::vector<Bytes> keys_in(std::span<const std::uint8_t> answer);

/// Connects, asks once, disconnects, `count` times over; returns how long each took, in
/// nanoseconds.
[[nodiscard]] std::vector<double> time_visits(const sockaddr_un& address,
                                              std::span<const std::uint8_t> request, int count);

/// Asks `count` times on one open connection; returns how long each took, in nanoseconds.
[[nodiscard]] std::vector<double> time_requests(AgentConnection& connection,
                                                std::span<const std::uint8_t> request, int count);

} // namespace livesock::bench
