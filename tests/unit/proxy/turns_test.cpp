#include "supervisor/proxy/turns.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

/// Turns only compares addresses.
struct Three {
    char bytes[3] = {};
    Session& operator[](std::size_t i) { return reinterpret_cast<Session&>(bytes[i]); }
};

} // namespace

TEST_CASE("who waits first is next, for each agent by itself") {
    Turns turns;
    Three sessions;
    CHECK(turns.next(1) == nullptr);
    turns.wait(sessions[0], 1);
    turns.wait(sessions[1], 1);
    turns.wait(sessions[2], 2);
    CHECK(turns.next(1) == &sessions[0]);
    CHECK(turns.next(2) == &sessions[2]);
    CHECK(turns.agents().size() == 2);
}

TEST_CASE("who asks again keeps its place") {
    Turns turns;
    Three sessions;
    turns.wait(sessions[0], 1);
    turns.wait(sessions[1], 1);
    turns.wait(sessions[0], 1);
    CHECK(turns.next(1) == &sessions[0]);
    turns.leave(sessions[0]);
    CHECK(turns.next(1) == &sessions[1]);
}

TEST_CASE("who waits for another agent waits for the first no longer") {
    Turns turns;
    Three sessions;
    turns.wait(sessions[0], 1);
    turns.wait(sessions[1], 1);
    turns.wait(sessions[0], 2);
    CHECK(turns.next(1) == &sessions[1]);
    CHECK(turns.next(2) == &sessions[0]);
}

TEST_CASE("when all have left nothing is kept") {
    Turns turns;
    Three sessions;
    for (std::size_t i = 0; i < 3; ++i)
        turns.wait(sessions[i], 1);
    turns.leave(sessions[1]);
    CHECK(turns.next(1) == &sessions[0]);
    turns.leave(sessions[0]);
    turns.leave(sessions[0]);
    CHECK(turns.next(1) == &sessions[2]);
    turns.leave(sessions[2]);
    CHECK(turns.next(1) == nullptr);
    CHECK(turns.agents().empty());
}
