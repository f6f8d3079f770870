// Which of several agents is used.
#pragma once

#include "supervisor/upstream/liveness.hpp"

#include <chrono>
#include <optional>
#include <span>

namespace livesock {

/// What is known of an agent when one is chosen.
struct AgentView {
    AgentState state = AgentState::fresh;
    bool is_pinned = false; ///< the user named it (livesock use)
    bool has_keys = false;
    std::chrono::system_clock::time_point born; ///< when its socket was made
};

/// The index of the agent to use: a live one before a late one; then the pinned, then one with
/// keys, then the newest. Nothing if none is live or late.
[[nodiscard]] std::optional<std::size_t> choose(std::span<const AgentView> agents);

} // namespace livesock
