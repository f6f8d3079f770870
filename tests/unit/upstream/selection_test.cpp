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

TEST_CASE("one that is late because it waits for a touch is left, unless the user has pinned it") {
    AgentView waiting = agent(AgentState::late, 1s);
    waiting.is_signing = true;
    CHECK(choose(std::vector{waiting, agent(AgentState::live, 2s)}) == 1);
    waiting.is_pinned = true;
    CHECK(choose(std::vector{waiting, agent(AgentState::live, 2s)}) == 0);
    waiting.is_signing = false;
    CHECK(choose(std::vector{waiting, agent(AgentState::live, 2s)}) == 1);
    waiting.is_signing = true;
    waiting.state = AgentState::hung;
    CHECK(choose(std::vector{waiting, agent(AgentState::live, 2s)}) == 1);
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

namespace {

AgentView fallback(AgentState state, std::size_t tier, bool is_pinned = false) {
    AgentView view = agent(state, 9s, true, is_pinned);
    view.tier = tier;
    return view;
}

} // namespace

TEST_CASE("any other live agent comes before a fallback, even an old one without keys") {
    const std::vector agents{fallback(AgentState::live, 1), agent(AgentState::live, 1s, false)};
    CHECK(choose(agents) == 1);
}

TEST_CASE("the first of the fallbacks comes before the next, in whatever order they are known") {
    const std::vector agents{fallback(AgentState::live, 3), fallback(AgentState::live, 1),
                             fallback(AgentState::live, 2)};
    CHECK(choose(agents) == 1);
}

TEST_CASE("a live fallback comes before another agent that is late") {
    const std::vector agents{fallback(AgentState::live, 2), agent(AgentState::late, 5s)};
    CHECK(choose(agents) == 0);
}

TEST_CASE("a pinned fallback comes before any other live agent") {
    const std::vector agents{agent(AgentState::live, 5s), fallback(AgentState::live, 2, true),
                             fallback(AgentState::live, 1)};
    CHECK(choose(agents) == 1);
}

TEST_CASE("a fallback is needed while nobody before it is live") {
    CHECK(is_needed(std::vector{fallback(AgentState::fresh, 1)}, 0));
    for (const AgentState state :
         {AgentState::fresh, AgentState::late, AgentState::hung, AgentState::dead}) {
        const std::vector agents{agent(state, 1s), fallback(state, 1),
                                 fallback(AgentState::fresh, 2)};
        CHECK(is_needed(agents, 2));
    }
}

TEST_CASE("a fallback is not needed where another is live, whether or not it was started") {
    for (const AgentState state : {AgentState::fresh, AgentState::live, AgentState::dead}) {
        CHECK(!is_needed(std::vector{agent(AgentState::live, 1s, false), fallback(state, 1)}, 1));
        CHECK(!is_needed(std::vector{fallback(AgentState::live, 1), fallback(state, 2)}, 1));
        CHECK(is_needed(std::vector{fallback(AgentState::live, 2), fallback(state, 1)}, 1));
    }
}

TEST_CASE("a fallback is needed where it is pinned, and not where another is") {
    CHECK(is_needed(std::vector{agent(AgentState::live, 1s), fallback(AgentState::fresh, 1, true)},
                    1));
    CHECK(!is_needed(
        std::vector{fallback(AgentState::live, 2, true), fallback(AgentState::fresh, 1)}, 1));
}

TEST_CASE("the preferred comes before a newer one, but not before keys, pins or the live") {
    AgentView preferred = agent(AgentState::live, 1s);
    preferred.is_preferred = true;
    CHECK(choose(std::vector{preferred, agent(AgentState::live, 2s)}) == 0);
    CHECK(choose(std::vector{preferred, agent(AgentState::live, 2s, true, true)}) == 1);
    preferred.has_keys = false;
    CHECK(choose(std::vector{preferred, agent(AgentState::live, 2s)}) == 1);
    CHECK(choose(std::vector{preferred, agent(AgentState::live, 2s, false)}) == 0);
    preferred.has_keys = true;
    preferred.state = AgentState::late;
    CHECK(choose(std::vector{preferred, agent(AgentState::live, 2s)}) == 1);
}
