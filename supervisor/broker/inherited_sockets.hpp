// What is known of listeners, and what they come from.
#pragma once

#include "supervisor/base/unique_fd.hpp"

#include <string>
#include <utility>
#include <vector>

namespace livesock {

/// What `livesock status` tells of a listener.
struct ListenerView {
    std::string name;
    std::string kind;   ///< "agent", "guest" or "bus"
    std::string reason; ///< why nobody can connect, and what to do; empty if all is well
};

/// Sockets that listen already, by the names of their listeners.
class InheritedSockets {
  public:
    void add(std::string name, UniqueFd socket) {
        sockets_.emplace_back(std::move(name), std::move(socket));
    }
    /// The socket, if there is one: the caller's from now on.
    [[nodiscard]] UniqueFd take(const std::string& name);
    void clear() { sockets_.clear(); }

  private:
    std::vector<std::pair<std::string, UniqueFd>> sockets_;
};

} // namespace livesock
