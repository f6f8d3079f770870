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
    bool is_pinned = false;  ///< the user named it (livesock use)
    bool is_signing = false; ///< it may wait for its user's touch
    std::size_t tier = 0;    ///< its place among the fallbacks, from 1; 0 for all others
    bool has_keys = false;
    bool is_preferred = false;                  ///< for the one who asks
    std::chrono::system_clock::time_point born; ///< when its socket was made
};

/// The index of the agent to use: a live one before a late one, except for a pinned one that is
/// late because it waits for a touch; then the pinned, then one that is no fallback, and of the
/// fallbacks the first; then one with keys, then the preferred, then the newest. Nothing if none
/// is live or late.
[[nodiscard]] std::optional<std::size_t> choose(std::span<const AgentView> agents);

/// Whether the agent at `index` would be used if it were live, so that it is worth starting: no
/// live one comes before it for its tier or pin.
[[nodiscard]] bool is_needed(std::span<const AgentView> agents, std::size_t index);

} // namespace livesock
