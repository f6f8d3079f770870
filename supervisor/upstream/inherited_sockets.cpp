#include "supervisor/upstream/inherited_sockets.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "supervisor/upstream/directory_keeper.hpp"

#include <cerrno>

#include <unistd.h>

namespace livesock {

UniqueFd InheritedSockets::take(const std::string& name) {
    for (auto& [given, socket] : sockets_)
        if (given == name && socket)
            return std::move(socket);
    return {};
}

void InheritedSockets::clear() {
    for (auto& [name, socket] : std::exchange(sockets_, {})) {
        const std::string path = made_path(socket.get());
        socket.reset();
        // A file that is no socket refuses connections, too.
        if (const auto file = file_at(path); !file || !file->is_socket)
            continue;
        if (const Result<UniqueFd> served = dial(path);
            !served && served.error().code == ECONNREFUSED)
            ::unlink(path.c_str());
    }
}

} // namespace livesock
