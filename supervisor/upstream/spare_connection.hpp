// A connection that is opened before anybody needs it.
#pragma once

#include "supervisor/base/unique_fd.hpp"
#include "supervisor/loop/event_loop.hpp"

namespace livesock {

/// Holds at most one connection to an agent on which nothing has been sent yet. A forwarded agent
/// costs two network round trips for the first answer, one of them for opening the channel: with a
/// spare one that has been paid already. It serves one client, and never two: session-bind makes
/// connections differ.
class SpareConnection {
  public:
    explicit SpareConnection(EventLoop& loop)
        : loop_(loop) {}

    /// Keeps `connection`, which nobody else has used; it is closed as soon as the agent ends it.
    void keep(UniqueFd connection);
    /// The connection, if there is one: the caller's from now on. The agent may have closed it in
    /// this very moment.
    [[nodiscard]] UniqueFd take();
    void drop() { static_cast<void>(take()); }

    explicit operator bool() const { return static_cast<bool>(connection_); }

  private:
    EventLoop& loop_;
    UniqueFd connection_;
    Watch ended_;
};

} // namespace livesock
