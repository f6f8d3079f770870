#include "supervisor/upstream/selection.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>

namespace livesock {
namespace {

bool is_usable(const AgentView& agent) {
    return agent.state == AgentState::live || agent.state == AgentState::late;
}

/// What the user has said, and so what counts before any agent is asked.
auto preference(const AgentView& agent) {
    return std::make_tuple(agent.is_pinned, -static_cast<std::ptrdiff_t>(agent.tier));
}

/// One that the user has pinned may take the time for his touch.
bool counts_as_live(const AgentView& agent) {
    return agent.state == AgentState::live || (agent.is_pinned && agent.is_signing);
}

auto rank(const AgentView& agent) {
    return std::make_tuple(counts_as_live(agent), preference(agent), agent.has_keys,
                           agent.is_preferred, agent.born);
}

} // namespace

std::optional<std::size_t> choose(std::span<const AgentView> agents) {
    // File times are as coarse as the tick: of two that are equally young, the later found is
    // newer.
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < agents.size(); ++i)
        if (is_usable(agents[i]) && (!best || rank(agents[i]) >= rank(agents[*best])))
            best = i;
    return best;
}

bool is_needed(std::span<const AgentView> agents, std::size_t index) {
    return std::none_of(agents.begin(), agents.end(), [&](const AgentView& other) {
        return other.state == AgentState::live && preference(other) > preference(agents[index]);
    });
}

} // namespace livesock
