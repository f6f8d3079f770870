#include "supervisor/upstream/selection.hpp"

#include <tuple>

namespace livesock {
namespace {

bool is_usable(const AgentView& agent) {
    return agent.state == AgentState::live || agent.state == AgentState::late;
}

auto rank(const AgentView& agent) {
    return std::make_tuple(agent.state == AgentState::live, agent.is_pinned, agent.has_keys,
                           agent.born);
}

} // namespace

std::optional<std::size_t> choose(std::span<const AgentView> agents) {
    // File times are as coarse as the tick: of two that are equally young, the later found is newer.
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < agents.size(); ++i)
        if (is_usable(agents[i]) && (!best || rank(agents[i]) >= rank(agents[*best])))
            best = i;
    return best;
}

} // namespace livesock
