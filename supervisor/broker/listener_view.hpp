// What is told of listeners.
#pragma once

#include <string>

namespace livesock {

/// What `livesock status` tells of a listener.
struct ListenerView {
    std::string name;
    std::string kind;   ///< "agent", "guest" or "bus"
    std::string reason; ///< why nobody can connect, and what to do; empty if all is well
};

} // namespace livesock
