// What is done sooner for an agent whose answers take the network's time.

#include "tests/unit/proxy/proxied.hpp"

using namespace livesock;
using namespace std::chrono_literals;

namespace {

/// An agent whose first answer took `round_trip`.
FakeAgent& add_far(Proxied& proxied, Duration round_trip) {
    FakeAgent& agent = proxied.make_agent('a');
    agent.is_silent = true;
    proxied.add(agent);
    const TimePoint answer_at = Clock::now() + round_trip;
    REQUIRE(run_until(proxied.loop,
                      [&] { return !agent.requests.empty() && Clock::now() >= answer_at; }));
    agent.is_silent = false;
    agent.answer_now(agent.requests[0]);
    REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.selected() != nullptr; }));
    settle(proxied.loop);
    return agent;
}

} // namespace

TEST_CASE("a far agent's identities are asked for with the session-bind") {
    Proxied proxied;
    FakeAgent& agent = add_far(proxied, 6ms);
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame()) == success_frame);
    REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 2; }));
    CHECK(agent.client_requests()[1].frame == request_identities_frame());
    SUBCASE("and a list that follows is answered, once") {
        settle(proxied.loop);
        CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
        CHECK(agent.client_requests().size() == 2);
        CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
        CHECK(agent.client_requests().size() == 3);
    }
    SUBCASE("and whatever else follows gets its own answer") {
        CHECK(proxied.ask(client, sign_request_for(make_blob('a'))) == signature_of(agent));
        CHECK(proxied.ask(client, session_bind_frame("another")) == success_frame);
        CHECK(proxied.ask(client, sign_request_for(make_blob('a'))) == signature_of(agent));
        CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    }
    SUBCASE("and nothing of it goes over to another connection") {
        agent.hang_up_on_all();
        settle(proxied.loop);
        CHECK(proxied.ask(client, sign_request_for(make_blob('a'))) == signature_of(agent));
        CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    }
}

TEST_CASE("an agent that loses what is sent ahead is asked again, and nothing ahead any more") {
    ProxySettings hasty = Proxied::slow_proxy;
    hasty.list_timeout = 50ms;
    Proxied proxied(hasty);
    FakeAgent& agent = add_far(proxied, 6ms);
    std::size_t swallowed = 0;
    agent.answer = [&](const FakeAgent::Request& request) -> std::optional<std::string> {
        if (request.frame != request_identities_frame())
            return success_frame;
        if (swallowed++ == 0)
            return std::nullopt;
        return list_of(agent);
    };
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame()) == success_frame);
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(swallowed == 2);
    FarEnd another = proxied.connect();
    const std::size_t before = agent.client_requests().size();
    CHECK(proxied.ask(another, session_bind_frame()) == success_frame);
    settle(proxied.loop);
    CHECK(agent.client_requests().size() == before + 1);
}

TEST_CASE("a near agent is asked nothing that the client does not ask") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame()) == success_frame);
    settle(proxied.loop);
    CHECK(agent.client_requests().size() == 1);
}

TEST_CASE("a list that waits for the identities asked for ahead gets them") {
    Proxied proxied;
    FakeAgent& agent = add_far(proxied, 6ms);
    agent.is_silent = true;
    FarEnd client = proxied.connect();
    client.send(session_bind_frame());
    REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 2; }));
    agent.send(1, success_frame);
    CHECK(proxied.receive(client) == success_frame);
    client.send(request_identities_frame());
    settle(proxied.loop);
    CHECK(agent.client_requests().size() == 2);
    agent.send(1, list_of(agent));
    CHECK(proxied.receive(client) == list_of(agent));
}
