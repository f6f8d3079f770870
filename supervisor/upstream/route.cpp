#include "supervisor/upstream/route.hpp"

#include "supervisor/base/escape.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {

Result<AgentConnection> SocketRoute::connect() {
    const Result<SocketFile> file = check_socket(path_);
    if (!file)
        return file.error();
    const auto leads_to = [&](const std::string& own) { return is_same_file(file->path, own); };
    if (std::any_of(own_sockets_.begin(), own_sockets_.end(), leads_to))
        return Error{fmt::format("'{}' is livesock's own socket", escaped(path_)), EPERM};
    socket_ = file->path;
    return dial_agent(file->path);
}

} // namespace livesock
