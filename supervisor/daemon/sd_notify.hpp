// The two things that systemd has to say to a service: sd_notify(3) and sd_listen_fds(3).
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <string>
#include <string_view>

namespace livesock {

/// Sends `state` ("READY=1", "STOPPING=1", ...) to the service manager that started us; without
/// one, does nothing. It never waits.
void notify_service_manager(std::string_view state);

/// Whether the service manager passes sockets to this process: true until take_passed_socket().
[[nodiscard]] bool is_passed_sockets();

/// The listening socket that the service manager passes for `path`: the one named "agent"
/// (FileDescriptorName=), or the only one. None if nothing is passed to this process. Error: it is
/// not a Unix stream socket that listens at `path`. The variables are removed from the environment.
[[nodiscard]] Result<UniqueFd> take_passed_socket(const std::string& path);

} // namespace livesock
