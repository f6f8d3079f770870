// The supervisor's state as the JSON of livesock-protocol(7).
#pragma once

#include "supervisor/control/host.hpp"

#include <nlohmann/json_fwd.hpp>

namespace livesock {

/// Raised when a member changes its meaning or goes away; members that are added do not raise it.
///
///   version  since   what changed
///   1        0.1.0   first
inline constexpr int control_protocol_version = 1;

/// The answer to "ping": {"ok", "protocol", "version", "pid"}.
[[nodiscard]] nlohmann::json describe_supervisor();

/// The answer to "status".
[[nodiscard]] nlohmann::json describe_status(const SupervisorFacts& facts, const AgentPool& agents,
                                             const StandIns& stand_ins,
                                             const std::vector<ClientUse>& uses);

/// The member "done" of the answer to "watch": requests, the oldest first.
[[nodiscard]] nlohmann::json describe_requests(const RequestLog& requests);

/// The answer to "heal".
[[nodiscard]] nlohmann::json describe_healing(const std::vector<HealOutcome>& outcomes);

/// The answer to "failures": the requests that failed last, the latest first.
[[nodiscard]] nlohmann::json describe_failures(const FailureLog& failures);

/// The answer to "list": the identities that the selected agent offers.
[[nodiscard]] nlohmann::json describe_identities(const AgentPool& agents);

} // namespace livesock
