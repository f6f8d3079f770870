// An agent on another machine, reached over TCP or vsock.
#pragma once

#include "supervisor/agent/message_stream.hpp"
#include "supervisor/agent/token_exchange.hpp"
#include "supervisor/base/endpoint.hpp"
#include "supervisor/upstream/route.hpp"

#include <memory>
#include <string>
#include <vector>

namespace livesock {

/// So many connections to one remote agent are open at once, those that are being opened among
/// them.
inline constexpr std::size_t most_remote_connections = 256;

/// Connecting may take so long, before the handshake, if there is one.
inline constexpr std::chrono::seconds connect_limit{5};

/// Opens a connection to the agent's endpoint for each of its callers, and relays whole messages:
/// what a caller gets can be used at once, and ends if the endpoint cannot be reached.
class RemoteAgent final : public Route {
  public:
    /// `token`: what the handshake proves to know; empty: there is none.
    RemoteAgent(EventLoop& loop, Endpoint endpoint, std::string token);
    ~RemoteAgent() override;

    Result<AgentConnection> connect() override;
    const std::string& socket() const override { return no_socket_; }
    std::string trouble() const override { return trouble_; }
    std::size_t most_connections() const override { return most_remote_connections; }

    std::size_t connections() const { return links_.size(); }

  private:
    class Link;

    void sweep();

    EventLoop& loop_;
    Endpoint endpoint_;
    std::string token_;
    std::string no_socket_;
    std::string trouble_; // of the connection that failed last; empty since one was answered
    std::vector<std::unique_ptr<Link>> links_;
    Watch sweep_;
};

} // namespace livesock
