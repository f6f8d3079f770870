// One question to the supervisor that runs.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/control/client.hpp"

namespace livesock {

/// Asks the running supervisor; what it refuses is an answer.
[[nodiscard]] Result<ControlAnswer> ask_running(const ControlRequest& request);

/// Says what the supervisor refused; returns the exit status for that.
int refused(const ControlAnswer& answer);

} // namespace livesock
