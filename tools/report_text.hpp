// What `status` and `list` show to a person. Pure functions of the supervisor's answers.
#pragma once

#include "tools/answers.hpp"
#include "tools/print.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace livesock {

/// What is known about the shell that asks.
struct Surroundings {
    std::int64_t now = 0;    ///< seconds since the epoch
    bool uses_agent = false; ///< what is started here reaches the live agent
};

/// First a sentence that says whether things work and, if not, what to do; then a table of the
/// agents, and of the stand-ins if there are any; then what the supervisor has done.
[[nodiscard]] std::string status_text(const StatusReport& report, const View& view,
                                      const Surroundings& here);

/// One line an identity: fingerprint, type, comment, agent.
[[nodiscard]] std::string identities_text(const std::vector<IdentityReport>& identities,
                                          const View& view);

/// One line a path: what was done about it and why.
[[nodiscard]] std::string healing_text(const std::vector<HealReport>& healing, const View& view);

/// How a sentence calls an agent: "the agent of 10.0.0.5 on pts/3", "the agent 'work keys'", "the
/// agent at /path/of/its/socket".
[[nodiscard]] std::string agent_called(const AgentReport& agent);

} // namespace livesock
