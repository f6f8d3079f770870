// A TCP port of this machine behind which a FakeAgent is.
#pragma once

#include "supervisor/agent/token_exchange.hpp"
#include "supervisor/base/endpoint.hpp"
#include "tests/support/fake_agent.hpp"

#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

namespace livesock {

class FarPort {
  public:
    /// With a `token` there is a handshake first.
    FarPort(EventLoop& loop, FakeAgent& agent, std::string token = {})
        : loop_(loop)
        , agent_(agent)
        , token_(std::move(token)) {
        static int next = 0;
        for (int port = 20000 + ::getpid() % 20000 + 10 * next++; port < 65536 && !listener_;
             ++port) {
            endpoint_ = *tcp_endpoint("127.0.0.1:" + std::to_string(port));
            open();
        }
    }

    const Endpoint& endpoint() const { return endpoint_; }
    const std::string& address() const { return endpoint_.text; }
    /// Listens (again).
    void open() {
        Result<UniqueFd> fd = listen_on(endpoint_);
        if (!fd)
            return;
        listener_ = std::move(*fd);
        acceptable_ = loop_.on_readable(listener_.get(), [this] { accept(); });
        acceptable_.resume();
    }
    /// Ends as a process that was killed.
    void close() {
        acceptable_ = {};
        listener_.reset();
        agent_.hang_up_on_all();
        peers_.clear();
    }
    bool is_mute = false; ///< connections are accepted, and nothing is said on them

    int accepted = 0;

  private:
    struct Peer {
        UniqueFd fd;
        std::unique_ptr<TokenExchange> exchange;
    };

    void accept() {
        UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        ++accepted;
        if (is_mute || !token_.empty())
            peers_.push_back(std::make_unique<Peer>());
        if (is_mute) {
            peers_.back()->fd = std::move(fd);
        } else if (token_.empty()) {
            agent_.serve(std::move(fd));
        } else {
            Peer& peer = *peers_.back();
            peer.fd = std::move(fd);
            peer.exchange = std::make_unique<TokenExchange>(
                loop_, peer.fd.get(), TokenHandshake::Role::listener, token_,
                [this, &peer](TokenExchange::Outcome outcome) {
                    if (outcome == TokenExchange::Outcome::done)
                        agent_.serve(std::move(peer.fd));
                    else
                        peer.fd.reset();
                });
        }
    }

    EventLoop& loop_;
    FakeAgent& agent_;
    std::string token_;
    Endpoint endpoint_;
    UniqueFd listener_;
    Watch acceptable_;
    std::vector<std::unique_ptr<Peer>> peers_;
};

} // namespace livesock
