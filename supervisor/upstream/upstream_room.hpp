// How many connections an agent may see, and the one that is kept ready.
#pragma once

#include "supervisor/upstream/spare_connection.hpp"

#include <cstddef>

namespace livesock {

/// Counts the connections of clients to one agent, and their requests, against a limit for all
/// connections that the agent may see: those, the one for our own questions, and the spare one.
class UpstreamRoom {
  public:
    /// `most`: at least 2.
    UpstreamRoom(EventLoop& loop, std::size_t most)
        : spare_(loop)
        , most_(most) {}

    /// A spare connection that is too many now is closed.
    void limit(std::size_t most);
    /// Of clients.
    std::size_t most_upstreams() const { return most_ - 1; }

    bool has_room() const { return spare_ || upstreams_ + 1 < most_; }
    void opened() { ++upstreams_; }
    void closed() { --upstreams_; }

    /// Between these two a client's request is out there.
    void request_began() { ++requests_; }
    void request_ended() { --requests_; }

    /// Whether there are room and reason to keep() one: none while a client's request is out there.
    bool wants_spare() const { return may_keep_ && requests_ == 0 && !spare_ && has_room(); }
    void keep(UniqueFd connection) { spare_.keep(std::move(connection)); }
    /// The spare one, opened() from now on; none if there is none.
    UniqueFd take_spare();
    void drop_spare() { spare_.drop(); }
    /// Keeps none from now on.
    void keep_no_spare();

  private:
    SpareConnection spare_;
    bool may_keep_ = true;
    std::size_t upstreams_ = 0;
    std::size_t requests_ = 0; // not answered yet
    std::size_t most_;
};

} // namespace livesock
