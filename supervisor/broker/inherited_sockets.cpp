#include "supervisor/broker/inherited_sockets.hpp"

namespace livesock {

UniqueFd InheritedSockets::take(const std::string& name) {
    for (auto& [given, socket] : sockets_)
        if (given == name && socket)
            return std::move(socket);
    return {};
}

} // namespace livesock
