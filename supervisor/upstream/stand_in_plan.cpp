#include "supervisor/upstream/stand_in_plan.hpp"

namespace livesock {
namespace {

StandInStep step_where_hung(StandInMode mode, const PathView& path) {
    if (!path.agent || *path.agent == AgentState::dead)
        return StandInStep::bury;
    // One that has just been asked anew, by a successor of ours, has not answered yet.
    const bool may_hang = *path.agent == AgentState::hung || *path.agent == AgentState::fresh;
    if (mode != StandInMode::hung || !path.is_referred || !may_hang)
        return StandInStep::put_back;
    return StandInStep::none;
}

} // namespace

std::string_view name_of(StandInReason reason) {
    return reason == StandInReason::dead ? "dead" : "hung";
}

StandInStep next_step(StandInMode mode, const PathView& path) {
    if (path.present == StandInReason::hung)
        return step_where_hung(mode, path);
    const bool is_wanted = mode != StandInMode::off && path.is_referred;
    if (path.present == StandInReason::dead)
        return is_wanted ? StandInStep::none : StandInStep::remove;
    if (!is_wanted)
        return StandInStep::none;
    if (!path.agent || *path.agent == AgentState::dead)
        return StandInStep::stand_in;
    return *path.agent == AgentState::hung && mode == StandInMode::hung ? StandInStep::set_aside
                                                                        : StandInStep::none;
}

} // namespace livesock
