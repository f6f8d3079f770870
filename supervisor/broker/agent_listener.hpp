// A further socket at which agent clients are accepted: TCP, vsock, or a path ([[listen]]).
#pragma once

#include "supervisor/agent/token_exchange.hpp"
#include "supervisor/base/endpoint.hpp"
#include "supervisor/broker/settings.hpp"
#include "supervisor/upstream/output_log.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace livesock {

/// So many peers may be in the handshake at once; the oldest of the address that has most (of all
/// those that have as many) is let go for a further one.
inline constexpr std::size_t most_handshakes = 64;

/// Accepts, has a handshake where there is a token, and gives those who may be served away.
class AgentListener {
  public:
    /// Who goes on with a client that may be served. `where` names it in the log.
    using Taker = std::function<void(UniqueFd client, const std::string& where)>;

    /// `listener` listens as `settings` say, see listen_as(). `may_take` tells whether one more
    /// client can be served; while it cannot, they wait in the backlog.
    AgentListener(EventLoop& loop, ListenSettings settings, std::string token, UniqueFd listener,
                  Taker take, std::function<bool()> may_take);
    ~AgentListener();

    const std::string& token() const { return token_; }
    int fd() const { return listener_.get(); }
    /// The listening socket: nobody is accepted any more.
    [[nodiscard]] UniqueFd release();
    std::size_t handshakes() const { return peers_.size(); }

  private:
    struct Peer;

    void accept();
    void pause();
    Result<void> check_peer(int fd) const;
    void begin(UniqueFd fd, std::string address);
    void make_room();
    void on_end(Peer& peer, TokenExchange::Outcome outcome);
    void refuse(const std::string& where, const std::string& why);
    void sweep();

    EventLoop& loop_;
    ListenSettings settings_;
    std::string token_;
    UniqueFd listener_;
    Taker take_;
    std::function<bool()> may_take_;
    LineBudget lines_;
    std::vector<std::unique_ptr<Peer>> peers_; // the oldest first
    Watch acceptable_;
    Watch again_;
    Watch sweep_;
};

/// Listens as `settings` say.
[[nodiscard]] Result<UniqueFd> listen_as(const ListenSettings& settings);

} // namespace livesock
