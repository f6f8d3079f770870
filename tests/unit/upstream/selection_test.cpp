#include "supervisor/upstream/selection.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

AgentView agent(AgentState state, std::chrono::seconds born, bool has_keys = true,
                bool is_pinned = false) {
    return {.state = state,
            .is_pinned = is_pinned,
            .has_keys = has_keys,
            .born = std::chrono::system_clock::time_point(born)};
}

} // namespace

TEST_CASE("where there is no agent none is chosen") {
    CHECK(!choose({}));
}

TEST_CASE("an agent that is new, hung or dead is never chosen, pinned or not") {
    for (const AgentState state : {AgentState::fresh, AgentState::hung, AgentState::dead})
        for (const bool is_pinned : {false, true}) {
            const std::vector agents{agent(state, 1s, true, is_pinned)};
            CHECK(!choose(agents));
        }
}

TEST_CASE("an agent that is live or late is chosen where there is no other") {
    for (const AgentState state : {AgentState::live, AgentState::late}) {
        const std::vector agents{agent(AgentState::dead, 9s), agent(state, 1s, false)};
        CHECK(choose(agents) == 1);
    }
}

TEST_CASE("the newest of the live is chosen") {
    const std::vector agents{agent(AgentState::live, 1s), agent(AgentState::live, 3s),
                             agent(AgentState::live, 2s), agent(AgentState::hung, 4s)};
    CHECK(choose(agents) == 1);
}

TEST_CASE("an older agent with keys comes before a newer one without") {
    const std::vector agents{agent(AgentState::live, 1s, true), agent(AgentState::live, 2s, false)};
    CHECK(choose(agents) == 0);
}

TEST_CASE("a pinned agent comes before newer ones, even without keys") {
    const std::vector agents{agent(AgentState::live, 2s, true),
                             agent(AgentState::live, 1s, false, true)};
    CHECK(choose(agents) == 1);
}

TEST_CASE("a live agent comes before a late one, even if that is pinned and newer") {
    const std::vector agents{agent(AgentState::late, 2s, true, true),
                             agent(AgentState::live, 1s, false, false)};
    CHECK(choose(agents) == 1);
}

TEST_CASE("of several pinned agents the one with keys, then the newest, is chosen") {
    const std::vector agents{agent(AgentState::live, 3s, false, true),
                             agent(AgentState::live, 1s, true, true),
                             agent(AgentState::live, 2s, true, true)};
    CHECK(choose(agents) == 2);
}

TEST_CASE("of equals the one that was found last is chosen") {
    const std::vector agents{agent(AgentState::live, 1s), agent(AgentState::live, 1s)};
    CHECK(choose(agents) == 1);
}
