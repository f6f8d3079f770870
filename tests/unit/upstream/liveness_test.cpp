#include "supervisor/upstream/liveness.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

const TimePoint start{1000s};
const ProbeSettings settings{.interval = 30s, .timeout = 2s, .hung_after = 10s};

Liveness make_live() {
    Liveness liveness(settings);
    liveness.asked(start - 1s);
    liveness.answered(start - 999ms);
    return liveness;
}

} // namespace

TEST_CASE("an agent that was not asked is new, and time changes nothing") {
    Liveness liveness(settings);
    CHECK(liveness.state() == AgentState::fresh);
    CHECK(!liveness.is_asked());
    CHECK(!liveness.deadline());
    liveness.pass(start + 1000h);
    CHECK(liveness.state() == AgentState::fresh);
    CHECK(!liveness.round_trip());
    CHECK(!liveness.last_answer());
}

TEST_CASE("only an answer makes an agent live") {
    Liveness liveness(settings);
    liveness.asked(start);
    CHECK(liveness.is_asked());
    CHECK(liveness.asked_at() == start);
    CHECK(liveness.state() == AgentState::fresh);
    liveness.answered(start + 52ms);
    CHECK(liveness.state() == AgentState::live);
    CHECK(!liveness.is_asked());
    CHECK(liveness.round_trip() == 52ms);
    CHECK(liveness.last_answer() == start + 52ms);
    CHECK(!liveness.deadline());
}

TEST_CASE("a live agent that is not asked stays live") {
    Liveness liveness = make_live();
    liveness.pass(start + 1000h);
    CHECK(liveness.state() == AgentState::live);
}

TEST_CASE("a live agent that is silent is late after the timeout, hung after hung_after") {
    Liveness liveness = make_live();
    liveness.asked(start);
    CHECK(liveness.deadline() == start + 2s);
    liveness.pass(start + 2s - 1ns);
    CHECK(liveness.state() == AgentState::live);
    liveness.pass(start + 2s);
    CHECK(liveness.state() == AgentState::late);
    CHECK(liveness.deadline() == start + 10s);
    liveness.pass(start + 10s - 1ns);
    CHECK(liveness.state() == AgentState::late);
    liveness.pass(start + 10s);
    CHECK(liveness.state() == AgentState::hung);
    CHECK(!liveness.deadline());
    liveness.pass(start + 1000h);
    CHECK(liveness.state() == AgentState::hung);
}

TEST_CASE("a live agent whose silence is seen late is hung at once") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.pass(start + 1h);
    CHECK(liveness.state() == AgentState::hung);
}

TEST_CASE("a new agent is never late: it was not live; it is hung after hung_after") {
    Liveness liveness(settings);
    liveness.asked(start);
    CHECK(liveness.deadline() == start + 10s);
    liveness.pass(start + 9s);
    CHECK(liveness.state() == AgentState::fresh);
    liveness.pass(start + 10s);
    CHECK(liveness.state() == AgentState::hung);
}

TEST_CASE("an answer, however late, makes an agent live again and ends its question") {
    Liveness liveness = make_live();
    liveness.asked(start);
    SUBCASE("late") {
        liveness.pass(start + 3s);
    }
    SUBCASE("hung") {
        liveness.pass(start + 11s);
    }
    liveness.answered(start + 1h);
    CHECK(liveness.state() == AgentState::live);
    CHECK(liveness.round_trip() == 1h);
    CHECK(!liveness.deadline());
    liveness.pass(start + 2h);
    CHECK(liveness.state() == AgentState::live);
}

TEST_CASE("silence counts from the first question that is open") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.asked(start + 9s);
    CHECK(liveness.deadline() == start + 2s);
    liveness.pass(start + 10s);
    CHECK(liveness.state() == AgentState::hung);
}

TEST_CASE("after an answer silence counts from the next question") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.answered(start + 1s);
    liveness.asked(start + 30s);
    CHECK(liveness.deadline() == start + 32s);
}

TEST_CASE("a dead agent has no open question, and stays dead however much time passes") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.died();
    CHECK(liveness.state() == AgentState::dead);
    CHECK(!liveness.is_asked());
    CHECK(!liveness.deadline());
    liveness.pass(start + 1h);
    CHECK(liveness.state() == AgentState::dead);
}

TEST_CASE("a dead agent that is asked is new until it answers") {
    Liveness liveness = make_live();
    liveness.died();
    liveness.asked(start);
    CHECK(liveness.state() == AgentState::fresh);
    liveness.pass(start + 3s);
    CHECK(liveness.state() == AgentState::fresh);
    liveness.answered(start + 4s);
    CHECK(liveness.state() == AgentState::live);
}

TEST_CASE("an answer that nobody asked for tells no round trip") {
    Liveness liveness(settings);
    liveness.answered(start);
    CHECK(liveness.state() == AgentState::live);
    CHECK(!liveness.round_trip());
}

TEST_CASE("while a sign request is out there an agent becomes late, not hung") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.sign_began();
    CHECK(liveness.deadline() == start + 2s);
    liveness.pass(start + 1h);
    CHECK(liveness.state() == AgentState::late);
    CHECK(!liveness.deadline());
}

TEST_CASE("a sign request that began after the question keeps an agent from being hung too") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.pass(start + 5s);
    liveness.sign_began();
    liveness.pass(start + 11s);
    CHECK(liveness.state() == AgentState::late);
}

TEST_CASE("after the last sign request has ended an agent has hung_after to answer") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.sign_began();
    liveness.sign_began();
    liveness.pass(start + 3s);
    liveness.sign_ended(start + 20s);
    liveness.pass(start + 40s);
    CHECK(liveness.state() == AgentState::late);
    CHECK(!liveness.deadline());
    liveness.sign_ended(start + 60s);
    CHECK(liveness.deadline() == start + 70s);
    liveness.pass(start + 70s - 1ns);
    CHECK(liveness.state() == AgentState::late);
    liveness.pass(start + 70s);
    CHECK(liveness.state() == AgentState::hung);
}

TEST_CASE("a sign request that ended before the question gives no more time") {
    Liveness liveness = make_live();
    liveness.sign_began();
    liveness.sign_ended(start - 5s);
    liveness.asked(start);
    liveness.pass(start + 2s);
    CHECK(liveness.deadline() == start + 10s);
}

TEST_CASE("a sign request does not wake an agent that is hung") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.pass(start + 10s);
    liveness.sign_began();
    liveness.pass(start + 11s);
    CHECK(liveness.state() == AgentState::hung);
    CHECK(!liveness.deadline());
}

TEST_CASE("new settings count for the question that is open") {
    Liveness liveness = make_live();
    liveness.asked(start);
    liveness.apply({.interval = 30s, .timeout = 1s, .hung_after = 3s});
    CHECK(liveness.deadline() == start + 1s);
    liveness.pass(start + 3s);
    CHECK(liveness.state() == AgentState::hung);
}

TEST_CASE("every state has the name that status shows") {
    CHECK(name_of(AgentState::fresh) == "new");
    CHECK(name_of(AgentState::live) == "live");
    CHECK(name_of(AgentState::late) == "late");
    CHECK(name_of(AgentState::hung) == "hung");
    CHECK(name_of(AgentState::dead) == "dead");
}

TEST_CASE("the last round trips are kept, the oldest first, until all is forgotten") {
    Liveness liveness(settings);
    CHECK(liveness.round_trips().empty());
    for (int i = 1; i <= 20; ++i) {
        liveness.asked(start);
        liveness.answered(start + i * 1ms);
    }
    REQUIRE(liveness.round_trips().size() == 16);
    CHECK(liveness.round_trips().front() == 5ms);
    CHECK(liveness.round_trips().back() == 20ms);
    liveness.answered(start + 1s); // to nothing
    CHECK(liveness.round_trips().size() == 16);
    liveness.forget();
    CHECK(liveness.round_trips().empty());
}
