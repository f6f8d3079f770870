// The tokens of signing listeners, over the control socket.
#pragma once

#include "supervisor/control/host.hpp"

#include <nlohmann/json_fwd.hpp>

namespace livesock {

/// The answer to "tokens": {"action": "add", "revoke" or "list", "name", "listener"}. The token
/// that was added is in it, and nowhere else.
[[nodiscard]] nlohmann::json run_tokens_command(ControlHost& host, const nlohmann::json& request);

} // namespace livesock
