// An agent behind a guest/host bus: list and sign requests are posted there as JSON.
#pragma once

#include "supervisor/agent/message_stream.hpp"
#include "supervisor/http/http_exchange.hpp"
#include "supervisor/upstream/route.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// So many connections to one bus are open at once.
inline constexpr std::size_t most_bus_connections = 64;

/// Answers the agent protocol with what a host says over the bus. What the bus cannot carry is
/// answered with SSH_AGENT_FAILURE; whether the host is there is found out with the question of the
/// sentinel (the extension "query"), which becomes a ping.
///
/// A connection whose list or ping comes to nothing is closed: its caller turns to another agent. A
/// sign request that the bus has taken is answered with a failure instead, for it may have been
/// put before a person, and that is not done twice.
class BusAgent final : public Route {
  public:
    /// `token` is shown to the bus, unless it is empty. `server_uids`: whose process a bus on this
    /// machine may be, besides this user's and root's. `sign_limit` is asked for every request.
    BusAgent(EventLoop& loop, HttpUrl url, std::string token, std::vector<uid_t> server_uids,
             std::function<std::chrono::milliseconds()> sign_limit);
    ~BusAgent() override;

    Result<AgentConnection> connect() override;
    const std::string& socket() const override { return no_socket_; }
    std::string trouble() const override { return trouble_; }
    std::size_t most_connections() const override { return most_bus_connections; }

    std::size_t connections() const { return callers_.size(); }

  private:
    class Caller;

    void sweep();

    EventLoop& loop_;
    HttpUrl url_;
    std::string token_;
    std::vector<uid_t> server_uids_;
    std::function<std::chrono::milliseconds()> sign_limit_;
    std::string no_socket_;
    std::string trouble_;
    bool is_met_ = false; // it has answered, and not failed since
    std::vector<std::unique_ptr<Caller>> callers_;
    Watch sweep_;
};

} // namespace livesock
