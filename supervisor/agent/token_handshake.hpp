// How the two ends of a connection over a network show each other that they know the same token,
// without sending it (livesock-protocol(7)).
//
//   listener                                       connector
//   --------                                       ---------
//   magic (16), nonce L (32)                  ->
//                                             <-   nonce C (32), HMAC(token, magic "C" L C) (32)
//   HMAC(token, magic "L" L C) (32)           ->
//   from here on the agent protocol           <->
//
// HMAC is HMAC-SHA-256 (RFC 2104). Each end closes the connection if the other's is wrong. Who
// listens to it learns nothing but a way to try tokens: they must be long.
#pragma once

#include <string>
#include <string_view>

namespace livesock {

/// A token must have at least as many bytes: who has heard a handshake can try out short ones.
inline constexpr std::size_t shortest_token = 32;
inline constexpr std::size_t longest_token = 1024;

/// One end's part, fed with what the other end sends. It does no I/O.
class TokenHandshake {
  public:
    enum class Role { listener, connector };
    enum class State {
        waiting, ///< for more bytes from the other end
        done,    ///< both know the token; what was not taken belongs to what follows
        failed,  ///< the other end does not know it, or speaks something else
    };

    TokenHandshake(Role role, std::string token);
    ~TokenHandshake();
    TokenHandshake(const TokenHandshake&) = delete;
    TokenHandshake& operator=(const TokenHandshake&) = delete;

    /// How many more bytes are to be given to take(): no more than these may be read, for the next
    /// one belongs to what follows.
    std::size_t wanted() const;
    /// Takes `bytes`, no more than wanted().
    State take(std::string_view bytes);
    State state() const { return state_; }

    /// What is to be sent now; empty if nothing is. It is forgotten by this.
    [[nodiscard]] std::string to_send();

  private:
    std::string proof(char role) const;
    void on_complete();
    void check(std::string_view proof, char role);

    Role role_;
    State state_ = State::waiting;
    std::string token_;
    std::string nonces_; // the listener's, then the connector's
    std::string received_;
    std::string to_send_;
};

} // namespace livesock
