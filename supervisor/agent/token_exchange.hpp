// A token handshake over a socket.
#pragma once

#include "supervisor/agent/token_handshake.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <functional>
#include <string>

namespace livesock {

/// How long a handshake may take: a listener that expects none says nothing.
inline constexpr std::chrono::seconds handshake_limit{5};

/// Runs a TokenHandshake on a connected, non-blocking socket, and reads nothing beyond it.
class TokenExchange {
  public:
    enum class Outcome {
        done,   ///< both ends know the token
        wrong,  ///< the other end does not know it, or speaks something else
        ended,  ///< the other end has closed the connection
        silent, ///< handshake_limit is over
    };

    /// `fd` is connected and outlives this. `on_end` is called once, from the loop; it must not
    /// destroy this.
    TokenExchange(EventLoop& loop, int fd, TokenHandshake::Role role, std::string token,
                  std::function<void(Outcome)> on_end);

  private:
    void on_readable();
    void send();
    void finish(Outcome outcome);

    int fd_;
    TokenHandshake handshake_;
    std::function<void(Outcome)> on_end_;
    Watch readable_;
    Watch patience_;
    Watch refused_; // what was to be sent could not be
    bool is_over_ = false;
};

} // namespace livesock
