// The session-bind messages of a client (OpenSSH's PROTOCOL.agent).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// A session-bind message; it must fare with each agent as it did with the first.
struct SessionBinding {
    std::string frame;
    bool was_accepted = false;
};

/// A client's bindings in their order, and how many of them the present connection to an agent has
/// got. Every connection gets them all, even one that no agent has accepted yet: a connection that
/// is not bound is one for local use, where constraints do not apply.
class SessionBindings {
  public:
    SessionBindings() = default;
    explicit SessionBindings(std::vector<SessionBinding> kept)
        : kept_(std::move(kept)) {}

    const std::vector<SessionBinding>& all() const { return kept_; }
    bool empty() const { return kept_.empty(); }

    /// Whether `frame` can be kept too: neither their number nor their size goes beyond a limit.
    bool has_room_for(std::string_view frame) const;

    /// Keeps `frame`, which the present connection has got already. It has room.
    void add(std::string frame, bool was_accepted);

    /// There is a new connection to an agent: it has got none.
    void begin_connection() { repeated_ = 0; }

    /// The frame that the connection gets next; null if it has got them all.
    const std::string* next() const;

    /// The agent has answered the next() one. False if it refuses what another has accepted.
    [[nodiscard]] bool take_answer(bool is_accepted);

  private:
    std::vector<SessionBinding> kept_;
    std::size_t repeated_ = 0;
};

} // namespace livesock
