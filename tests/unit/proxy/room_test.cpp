// Connections to an agent: given back when idle, bounded, and taken in turns.

#include "tests/unit/proxy/proxied.hpp"

using namespace livesock;
using namespace std::chrono_literals;

namespace {

ProxySettings with_idle(std::chrono::milliseconds limit) {
    ProxySettings settings = Proxied::slow_proxy;
    settings.upstream_idle = limit;
    return settings;
}

/// A proxy whose agent sees `most` connections besides the sentinel.
struct Narrow : Proxied {
    FakeAgent& agent;
    explicit Narrow(std::size_t most, const ProxySettings& settings = slow_proxy)
        : Proxied(settings)
        , agent(add_live('a')) {
        pool.limit_upstreams(most + 1);
    }
    bool reach(std::size_t connections) {
        return run_until(loop, [&] { return agent.open_connections() == connections; });
    }
};

} // namespace

TEST_CASE("a connection that was idle for long is given back, and the client does not notice") {
    Proxied proxied(with_idle(20ms));
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    REQUIRE(run_until(proxied.loop, [&] { return agent.open_connections() == 1; }));
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(agent.accepted == 3);
    CHECK(proxied.proxy->clients() == 1);
}

TEST_CASE("a connection that is bound is kept however long it is idle") {
    Proxied proxied(with_idle(1ms));
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame()) == success_frame);
    for (int i = 0; i < 10; ++i)
        settle(proxied.loop);
    CHECK(agent.open_connections() == 2);
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(agent.accepted == 2);
}

TEST_CASE("an agent never sees more connections than it may, and all are served in order") {
    Narrow narrow(2);
    narrow.agent.is_silent = true;
    std::vector<FarEnd> clients;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(narrow.connect());
        clients.back().send(sign_request_for(make_blob('a'), std::to_string(i)));
        settle(narrow.loop);
    }
    CHECK(narrow.agent.open_connections() == 3);
    for (std::size_t i = 0; i < clients.size(); ++i) {
        REQUIRE(run_until(narrow.loop, [&] { return narrow.agent.client_requests().size() > i; }));
        const FakeAgent::Request next = narrow.agent.client_requests()[i];
        CHECK(next.frame == sign_request_for(make_blob('a'), std::to_string(i)));
        narrow.agent.answer_now(next);
        CHECK(narrow.receive(clients[i]) == signature_of(narrow.agent));
        CHECK(narrow.agent.open_connections() <= 3);
        clients[i].close();
    }
}

TEST_CASE("a connection that is not in use is taken from a client that keeps it") {
    Narrow narrow(2);
    FarEnd first = narrow.connect();
    FarEnd second = narrow.connect();
    FarEnd third = narrow.connect();
    CHECK(narrow.ask(first, request_identities_frame()) == list_of(narrow.agent));
    SUBCASE("the one that has been idle for longest") {
        CHECK(narrow.ask(second, request_identities_frame()) == list_of(narrow.agent));
        CHECK(narrow.ask(third, request_identities_frame()) == list_of(narrow.agent));
        REQUIRE(narrow.reach(3));
        CHECK(narrow.ask(second, request_identities_frame()) == list_of(narrow.agent));
        CHECK(narrow.agent.accepted == 4);
    }
    SUBCASE("one that is bound only if all are") {
        CHECK(narrow.ask(first, session_bind_frame()) == success_frame);
        CHECK(narrow.ask(second, request_identities_frame()) == list_of(narrow.agent));
        CHECK(narrow.ask(third, request_identities_frame()) == list_of(narrow.agent));
        REQUIRE(narrow.reach(3));
        CHECK(narrow.ask(first, request_identities_frame()) == list_of(narrow.agent));
        CHECK(narrow.agent.count(session_bind_frame()) == 1);
    }
    CHECK(narrow.ask(first, request_identities_frame()) == list_of(narrow.agent));
}

TEST_CASE("who leaves while it waits for its turn is passed over") {
    Narrow narrow(1);
    narrow.agent.is_silent = true;
    std::vector<FarEnd> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(narrow.connect());
        clients.back().send(request_identities_frame());
        settle(narrow.loop);
    }
    clients[1].close();
    REQUIRE(run_until(narrow.loop, [&] { return narrow.proxy->clients() == 2; }));
    narrow.agent.is_silent = false;
    narrow.agent.answer_now(narrow.agent.client_requests().at(0));
    CHECK(narrow.receive(clients[0]) == list_of(narrow.agent));
    CHECK(narrow.receive(clients[2]) == list_of(narrow.agent));
}

TEST_CASE("a turn that does not come in time is a failure that says why") {
    ProxySettings hasty = Proxied::slow_proxy;
    hasty.grace = 1ms;
    hasty.list_timeout = 30ms;
    Narrow narrow(1, hasty);
    narrow.agent.is_silent = true;
    FarEnd signing = narrow.connect();
    signing.send(sign_request_for(make_blob('a')));
    settle(narrow.loop);
    FarEnd waiting = narrow.connect();
    CHECK(narrow.ask(waiting, request_identities_frame()) == failure_frame());
    REQUIRE(narrow.proxy->failures().requests().size() == 1);
    const FailedRequest& failed = narrow.proxy->failures().requests().front();
    CHECK(failed.cause.find("max_upstreams") != std::string::npos);
    CHECK(failed.waited >= 30ms);
    CHECK(failed.client.pid == ::getpid());
    CHECK(failed.kind == RequestKind::list);
}

TEST_CASE("a limit that is raised lets those in that wait") {
    Narrow narrow(1);
    narrow.agent.is_silent = true;
    FarEnd signing = narrow.connect();
    signing.send(sign_request_for(make_blob('a')));
    settle(narrow.loop);
    FarEnd waiting = narrow.connect();
    waiting.send(request_identities_frame());
    settle(narrow.loop);
    CHECK(narrow.agent.client_requests().size() == 1);
    narrow.pool.limit_upstreams(10);
    narrow.proxy->apply(Proxied::slow_proxy);
    CHECK(run_until(narrow.loop, [&] { return narrow.agent.client_requests().size() == 2; }));
}

TEST_CASE("those that wait for an agent that dies are served by another") {
    Narrow narrow(1);
    narrow.agent.is_silent = true;
    FarEnd signing = narrow.connect();
    signing.send(sign_request_for(make_blob('a')));
    settle(narrow.loop);
    FarEnd waiting = narrow.connect();
    waiting.send(request_identities_frame());
    settle(narrow.loop);
    narrow.agent.log_out();
    FakeAgent& other = narrow.add_live('b');
    CHECK(narrow.receive(waiting) == list_of(other));
}

TEST_CASE("of the requests that failed the last are kept, with what was tried") {
    ProxySettings hasty = Proxied::slow_proxy;
    hasty.grace = 1ms;
    Proxied proxied(hasty);
    FakeAgent& agent = proxied.add_live('a');
    agent.hangs_up_on_requests = true;
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, add_key_frame) == failure_frame());
    REQUIRE(proxied.proxy->failures().requests().size() == 1);
    const FailedRequest& failed = proxied.proxy->failures().requests().front();
    REQUIRE(failed.attempts.size() == 1);
    CHECK(failed.attempts[0].path == agent.path());
    CHECK(failed.attempts[0].outcome == "it closed the connection");
    CHECK(failed.kind == RequestKind::other);
    CHECK(failed.client.program.starts_with("unit-"));
    for (int i = 0; i < 100; ++i) {
        FarEnd another = proxied.connect();
        CHECK(proxied.ask(another, add_key_frame) == failure_frame());
    }
    CHECK(proxied.proxy->failures().requests().size() == FailureLog::most);
}

TEST_CASE("a turn that comes when the agent is gone leaves what a request may wait for another") {
    ProxySettings settings = Proxied::slow_proxy;
    settings.grace = 1ms;
    Narrow narrow(1, settings);
    narrow.agent.is_silent = true;
    FarEnd first = narrow.connect();
    first.send(sign_request_for(make_blob('a')));
    REQUIRE(run_until(narrow.loop, [&] { return narrow.agent.client_requests().size() == 1; }));
    FarEnd second = narrow.connect();
    second.send(sign_request_for(make_blob('a')));
    settle(narrow.loop);
    REQUIRE(::unlink(narrow.agent.path().c_str()) == 0);
    narrow.agent.answer_now(narrow.agent.client_requests()[0]);
    CHECK(narrow.receive(first) == signature_of(narrow.agent));
    first.close();
    CHECK(narrow.receive(second) == failure_frame());
}
