#include "supervisor/upstream/stand_in_plan.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

constexpr auto no_agent = std::optional<AgentState>();
constexpr auto absent = std::optional<StandInReason>();

StandInStep step(StandInMode mode, bool is_referred, std::optional<AgentState> agent,
                 std::optional<StandInReason> present) {
    return next_step(mode, {is_referred, agent, present});
}

} // namespace

TEST_CASE("a path without a living agent gets a stand-in if somebody refers to it") {
    for (const auto agent : {no_agent, std::optional(AgentState::dead)}) {
        CHECK(step(StandInMode::hung, true, agent, absent) == StandInStep::stand_in);
        CHECK(step(StandInMode::dead, true, agent, absent) == StandInStep::stand_in);
        CHECK(step(StandInMode::off, true, agent, absent) == StandInStep::none);
        CHECK(step(StandInMode::hung, false, agent, absent) == StandInStep::none);
    }
}

TEST_CASE("the path of an agent that may answer is left alone") {
    for (const AgentState agent : {AgentState::fresh, AgentState::live, AgentState::late})
        CHECK(step(StandInMode::hung, true, agent, absent) == StandInStep::none);
}

TEST_CASE("a hung agent's socket is set aside if that is wanted and somebody refers to it") {
    CHECK(step(StandInMode::hung, true, AgentState::hung, absent) == StandInStep::set_aside);
    CHECK(step(StandInMode::hung, false, AgentState::hung, absent) == StandInStep::none);
    CHECK(step(StandInMode::dead, true, AgentState::hung, absent) == StandInStep::none);
    CHECK(step(StandInMode::off, true, AgentState::hung, absent) == StandInStep::none);
}

TEST_CASE("a socket that is set aside stays so while its agent hangs, and no longer") {
    constexpr auto hung = StandInReason::hung;
    CHECK(step(StandInMode::hung, true, AgentState::hung, hung) == StandInStep::none);
    CHECK(step(StandInMode::hung, true, AgentState::fresh, hung) == StandInStep::none);
    for (const AgentState agent : {AgentState::live, AgentState::late})
        CHECK(step(StandInMode::hung, true, agent, hung) == StandInStep::put_back);
    CHECK(step(StandInMode::hung, false, AgentState::hung, hung) == StandInStep::put_back);
    CHECK(step(StandInMode::dead, true, AgentState::hung, hung) == StandInStep::put_back);
    CHECK(step(StandInMode::off, true, AgentState::hung, hung) == StandInStep::put_back);
    for (const auto mode : {StandInMode::off, StandInMode::dead, StandInMode::hung})
        for (const auto agent : {no_agent, std::optional(AgentState::dead)})
            CHECK(step(mode, true, agent, hung) == StandInStep::bury);
}

TEST_CASE("a stand-in for a dead agent stays while somebody refers to it") {
    constexpr auto dead = StandInReason::dead;
    CHECK(step(StandInMode::hung, true, no_agent, dead) == StandInStep::none);
    CHECK(step(StandInMode::dead, true, no_agent, dead) == StandInStep::none);
    CHECK(step(StandInMode::hung, false, no_agent, dead) == StandInStep::remove);
    CHECK(step(StandInMode::off, true, no_agent, dead) == StandInStep::remove);
}
