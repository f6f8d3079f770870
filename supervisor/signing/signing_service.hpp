// All signing listeners: opened, closed, and handed to a successor.
#pragma once

#include "supervisor/signing/signing_listener.hpp"
#include "supervisor/upstream/inherited_sockets.hpp"
#include "supervisor/upstream/kept_socket.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace livesock {

/// One listener as others see it.
struct SigningView {
    const SigningSettings& settings;
    const SigningMetrics& metrics;
    std::string problem; ///< why it does not listen; empty if it does
};

class SigningService {
  public:
    SigningService(EventLoop& loop, AgentDoor open_agent, std::function<AgentCounts()> agents);
    ~SigningService();
    SigningService(const SigningService&) = delete;
    SigningService& operator=(const SigningService&) = delete;

    /// Has these listeners from now on: those that stay at their address go on without a gap, one
    /// that cannot be opened is tried again from time to time.
    void apply(const std::vector<SigningSettings>& settings);

    std::vector<SigningView> listeners() const;

    /// Offers each listening socket, with its address as text, to `take`, and accepts no more:
    /// what is owed is still answered.
    void hand_over(const std::function<void(const std::string& address, int fd)>& take);
    /// Such a socket of a predecessor: it is used when a listener of that address is opened.
    void adopt(const std::string& address, UniqueFd fd);
    /// Connections on which something is owed, or that have not ended yet.
    std::size_t connections() const { return server_.connections(); }

  private:
    struct Listener {
        explicit Listener(std::unique_ptr<SigningListener> made)
            : handler(std::move(made)) {}

        std::unique_ptr<SigningListener> handler;
        KeptSocket socket;
        HttpServer::ListenerId id = 0; ///< 0: it does not listen
        /// What it was before its socket was made again; it may still have answers to give.
        std::vector<HttpServer::ListenerId> former_ids;
    };

    void open(Listener& listener);
    void close(std::unique_ptr<Listener> listener);
    void retry();
    bool restore();
    bool is_served(const Listener& listener) const;
    Result<UniqueFd> take_socket(const SigningSettings& settings);

    SigningWorld world_;
    Watch retry_;
    InheritedSockets adopted_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::vector<std::unique_ptr<Listener>> retired_; ///< answer what they owe
    bool has_handed_over_ = false;
    HttpServer server_; // the first to go: its connections use the handlers
};

} // namespace livesock
