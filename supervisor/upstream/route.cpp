#include "supervisor/upstream/route.hpp"

#include "supervisor/base/escape.hpp"

#include <cerrno>

#include <fmt/format.h>

namespace livesock {

Result<AgentConnection> SocketRoute::connect() {
    const Result<SocketFile> file = check_socket(path_);
    if (!file)
        return file.error();
    if (leads_to_any(file->path, own_sockets_))
        return Error{fmt::format("'{}' is livesock's own socket", escaped(path_)), EPERM};
    socket_ = file->path;
    return dial_agent(file->path);
}

} // namespace livesock
