// status, list, register, use, heal, wait: the commands about the agents. Each prints what it has
// to say and returns an exit status.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/control/client.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

int status_command(bool json);
int list_command(bool json);

/// Registers `path`, else the SSH_AUTH_SOCK of process `pid`, else the present one.
int register_command(const std::string& path, std::optional<pid_t> pid);

int use_command(const std::string& agent);

/// Makes stand-ins now, at `paths` or wherever one is needed, and says what was done.
int heal_command(const std::vector<std::string>& paths);

/// `limit` as parse_duration() takes it, or a bare number of seconds; empty means no limit.
int wait_command(const std::optional<std::string>& limit);

/// The SSH_AUTH_SOCK of the process `pid` (proc(5), environ: as it was when the process began).
[[nodiscard]] Result<std::string> agent_socket_of(pid_t pid);

/// Registers the present SSH_AUTH_SOCK with the supervisor if it is set, exists, and does not lead
/// back to the supervisor. Best effort: a login works without it.
void register_present_agent(ControlClient& client);

} // namespace livesock
