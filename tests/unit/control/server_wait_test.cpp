#include "supervisor/control/server.hpp"

#include "tests/unit/control/controlled.hpp"

using namespace livesock;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

json live_answer(const Controlled& controlled, const FakeAgent& agent) {
    return {{"ok", true},
            {"live", agent.path()},
            {"label", controlled.pool.find(agent.path())->label()}};
}

} // namespace

TEST_CASE("a wait is answered at once where an agent is live") {
    Controlled controlled;
    const FakeAgent& agent = controlled.add_live('a');
    CHECK(controlled.ask(wait_for_ever) == live_answer(controlled, agent));
    CHECK(controlled.ask({{"command", "wait"}, {"timeout_ms", 0}})["ok"] == true);
}

TEST_CASE("a wait is answered once, when an agent becomes live") {
    Controlled controlled;
    FakeAgent& agent = controlled.make_agent('a');
    agent.is_silent = true;
    controlled.add(agent);
    json request = wait_for_ever;
    SUBCASE("without a limit") {}
    SUBCASE("with null for a limit") {
        request["timeout_ms"] = nullptr;
    }
    SUBCASE("with a limit that is no number") {
        request["timeout_ms"] = "1";
    }
    SUBCASE("with a limit") {
        request["timeout_ms"] = 3'600'000;
    }
    SUBCASE("with a limit beyond all numbers of milliseconds") {
        request["timeout_ms"] = 1e300;
    }
    std::vector<FarEnd> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(controlled.connect());
        controlled.tell(clients.back(), request);
    }
    for (FarEnd& client : clients)
        CHECK(client.received().empty());
    agent.is_silent = false;
    agent.answer_now(agent.requests.at(0));
    REQUIRE(controlled.becomes(agent, AgentState::live));
    for (FarEnd& client : clients)
        CHECK(controlled.receive(client) == live_answer(controlled, agent));

    controlled.add_live('b');
    for (FarEnd& client : clients) {
        CHECK(client.received().empty());
        CHECK(controlled.ask(client, {{"command", "ping"}})["ok"] == true);
    }
}

TEST_CASE("an agent that is only late is not waited for any less") {
    Controlled controlled({.interval = 5ms, .timeout = 10ms, .hung_after = 1h});
    FakeAgent& agent = controlled.add_live('a');
    agent.is_silent = true;
    REQUIRE(controlled.becomes(agent, AgentState::late));
    REQUIRE(controlled.pool.selected() != nullptr);
    FarEnd client = controlled.connect();
    controlled.tell(client, wait_for_ever);
    SUBCASE("when others come and go") {
        FakeAgent& other = controlled.make_agent('b');
        other.hangs_up_at_once = true;
        controlled.add(other);
        REQUIRE(controlled.becomes(other, AgentState::dead));
    }
    CHECK(client.received().empty());
    agent.answer_now(agent.requests.back());
    REQUIRE(controlled.becomes(agent, AgentState::live));
    CHECK(controlled.receive(client) == live_answer(controlled, agent));
}

TEST_CASE("a wait ends after its time, and the connection goes on") {
    Controlled controlled;
    FarEnd client = controlled.connect();
    json request = wait_for_ever;
    Duration least{};
    SUBCASE("a time") {
        request["timeout_ms"] = 30;
        least = 30ms;
    }
    SUBCASE("a fraction") {
        request["timeout_ms"] = 0.5;
    }
    SUBCASE("none") {
        request["timeout_ms"] = 0;
    }
    SUBCASE("a negative time") {
        request["timeout_ms"] = -5;
    }
    SUBCASE("a very negative time") {
        request["timeout_ms"] = -1e300;
    }
    for (int i = 0; i < 2; ++i) {
        const TimePoint asked = Clock::now();
        CHECK(controlled.ask(client, request) ==
              json{{"ok", false}, {"code", "timeout"}, {"error", "no agent became live in time"}});
        CHECK(Clock::now() - asked >= least);
    }
    controlled.add_live('a');
    CHECK(client.received().empty());
    CHECK(controlled.ask(client, wait_for_ever)["ok"] == true);
}

TEST_CASE("the time of a wait that was answered does not end the next one") {
    Controlled controlled;
    FarEnd client = controlled.connect();
    controlled.tell(client, {{"command", "wait"}, {"timeout_ms", 50}});
    FakeAgent& agent = controlled.add_live('a');
    const json first = controlled.receive(client);
    agent.log_out();
    REQUIRE(run_until(controlled.loop, [&] { return controlled.pool.selected() == nullptr; }));
    controlled.tell(client, wait_for_ever);
    [[maybe_unused]] const bool has_come = run_until(
        controlled.loop, [&] { return !client.received().empty(); }, 80ms);
    // On a machine that is very slow the first wait may have been over before the agent was there.
    if (first["ok"] == true)
        CHECK(client.received().empty());
}

TEST_CASE("a client that goes while it waits is forgotten") {
    Controlled controlled;
    FarEnd gone = controlled.connect();
    FarEnd waiting = controlled.connect();
    SUBCASE("without a limit") {
        controlled.tell(gone, wait_for_ever);
    }
    SUBCASE("with one that passes then") {
        controlled.tell(gone, {{"command", "wait"}, {"timeout_ms", 20}});
    }
    controlled.tell(waiting, {{"command", "wait"}, {"timeout_ms", 40}});
    gone.close();
    CHECK(controlled.receive(waiting)["code"] == "timeout");
    controlled.tell(waiting, wait_for_ever);
    const FakeAgent& agent = controlled.add_live('a');
    CHECK(controlled.receive(waiting) == live_answer(controlled, agent));
}

TEST_CASE("a client that shut down its writing half still hears of the live agent") {
    Controlled controlled;
    FarEnd client = controlled.connect();
    controlled.tell(client, wait_for_ever);
    client.shut_down_writing();
    settle(controlled.loop);
    const FakeAgent& agent = controlled.add_live('a');
    CHECK(controlled.receive(client) == live_answer(controlled, agent));
    CHECK(client.at_end());
}
