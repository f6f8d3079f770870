// Sockets that a predecessor has listened at, until somebody goes on with them.
#pragma once

#include "supervisor/base/unique_fd.hpp"

#include <string>
#include <utility>
#include <vector>

namespace livesock {

/// Sockets that listen already, by the names of their listeners.
class InheritedSockets {
  public:
    void add(std::string name, UniqueFd socket) {
        sockets_.emplace_back(std::move(name), std::move(socket));
    }
    /// The socket, if there is one: the caller's from now on.
    [[nodiscard]] UniqueFd take(const std::string& name);
    /// Closes those that nobody has taken, and removes the paths at which listen_at() made them,
    /// unless somebody else serves there, or has put something else there: nobody else would.
    void clear();

  private:
    std::vector<std::pair<std::string, UniqueFd>> sockets_;
};

} // namespace livesock
