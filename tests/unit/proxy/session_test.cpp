#include "supervisor/proxy/session.hpp"

#include "tests/unit/proxy/proxied.hpp"

using namespace livesock;
using namespace std::chrono_literals;

namespace {

ProxySettings with_grace(std::chrono::milliseconds grace) {
    ProxySettings settings = Proxied::slow_proxy;
    settings.grace = grace;
    return settings;
}

/// Frames that came to `agent` from clients, in order.
std::vector<std::string> frames_at(const FakeAgent& agent) {
    std::vector<std::string> frames;
    for (const FakeAgent::Request& request : agent.client_requests())
        frames.push_back(request.frame);
    return frames;
}

} // namespace

// What passes.

TEST_CASE("any request gets the agent's own answer, byte for byte") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(proxied.ask(client, sign_request_for(make_blob('a'))) == signature_of(agent));
    CHECK(proxied.ask(client, query_frame()) == failure_frame());
    CHECK(proxied.ask(client, session_bind_frame()) == success_frame);
    for (const int number : {0, 1, 5, 17, 19, 22, 25, 200, 255}) {
        const auto frame = make_frame(static_cast<MessageType>(number), "contents");
        agent.answer = [&](const FakeAgent::Request& request) {
            return make_frame(static_cast<MessageType>(255 - number), request.frame);
        };
        CHECK(proxied.ask(client, frame) ==
              make_frame(static_cast<MessageType>(255 - number), frame));
    }
    CHECK(proxied.proxy->statistics().answered == 13);
    CHECK(proxied.proxy->statistics().failed == 0);
}

TEST_CASE("a client has one connection to its agent, of its own, for all its requests") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd first = proxied.connect();
    FarEnd second = proxied.connect();
    for (int i = 0; i < 3; ++i) {
        proxied.ask(first, request_identities_frame());
        proxied.ask(second, request_identities_frame());
    }
    CHECK(agent.accepted == 3);
    const auto requests = agent.client_requests();
    REQUIRE(requests.size() == 6);
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(requests[i].connection == 1 + i % 2);
}

TEST_CASE("a client that has asked nothing yet costs its agent nothing") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    settle(proxied.loop);
    CHECK(proxied.proxy->clients() == 1);
    CHECK(agent.accepted == 1);
}

TEST_CASE("pipelined requests are answered in order, one at a time") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    agent.is_silent = true;
    FarEnd client = proxied.connect();
    std::string requests;
    for (int i = 0; i < 100; ++i)
        requests += make_frame(MessageType::extension, std::to_string(i));
    client.send(requests);
    for (int i = 0; i < 100; ++i) {
        const auto asked = static_cast<std::size_t>(i) + 1;
        REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == asked; }));
        if (i < 3) {
            settle(proxied.loop);
            REQUIRE(agent.client_requests().size() == asked);
        }
        const FakeAgent::Request request = agent.requests.back();
        CHECK(Message(request.frame).contents() == std::to_string(i));
        agent.send(request.connection, make_frame(MessageType::success, std::to_string(i)));
        REQUIRE(proxied.receive(client) == make_frame(MessageType::success, std::to_string(i)));
    }
}

TEST_CASE("a request and an answer of the greatest length pass") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    const std::string longest =
        make_frame(MessageType::extension, std::string(longest_message - 1, 'x'));
    agent.answer = [&](const FakeAgent::Request& request) { return request.frame; };
    FarEnd client = proxied.connect();
    std::size_t sent = 0;
    REQUIRE(run_until(proxied.loop, [&] {
        sent += client.send(std::string_view(longest).substr(sent));
        return sent == longest.size();
    }));
    CHECK(proxied.receive(client) == longest);
}

TEST_CASE("a client that does not read its answers is not asked for more requests") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    const std::string longest =
        make_frame(MessageType::success, std::string(longest_message - 1, 'x'));
    agent.answer = [&](const FakeAgent::Request&) { return longest; };
    FarEnd client = proxied.connect();
    constexpr std::size_t count = 30;
    for (std::size_t i = 0; i < count; ++i)
        client.send(request_identities_frame());
    for (int i = 0; i < 20; ++i)
        settle(proxied.loop);
    CHECK(agent.client_requests().size() < 5);
    std::size_t received = 0;
    CHECK(run_until(proxied.loop, [&] {
        received += client.take().size();
        return received == count * longest.size();
    }));
}

// How a client leaves.

TEST_CASE("a client that shuts down its writing half still gets its answers, then the end") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    client.send(request_identities_frame());
    client.send(sign_request_for(make_blob('a')));
    SUBCASE("at once") {
        client.shut_down_writing();
    }
    SUBCASE("while it waits") {
        agent.is_silent = true;
        REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 1; }));
        client.shut_down_writing();
        settle(proxied.loop);
        agent.is_silent = false;
        agent.answer_now(agent.requests.back());
    }
    CHECK(proxied.receive(client) == list_of(agent));
    CHECK(proxied.receive(client) == signature_of(agent));
    CHECK(proxied.ends(client));
    CHECK(
        run_until(proxied.loop, [&] { return agent.ended == 1 && proxied.proxy->clients() == 0; }));
}

TEST_CASE("a client that shuts down its writing half while idle is done") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    SUBCASE("after a request") {
        proxied.ask(client, request_identities_frame());
    }
    SUBCASE("without any") {}
    client.shut_down_writing();
    CHECK(proxied.ends(client));
    CHECK(run_until(proxied.loop, [&] { return proxied.proxy->clients() == 0; }));
    CHECK(run_until(proxied.loop, [&] { return agent.open_connections() == 1; }));
}

TEST_CASE("a client that leaves takes its connection to the agent along") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    SUBCASE("while idle") {
        proxied.ask(client, request_identities_frame());
    }
    SUBCASE("while it waits for an answer") {
        agent.is_silent = true;
        client.send(request_identities_frame());
        REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 1; }));
    }
    SUBCASE("while it waits for a signature") {
        agent.is_silent = true;
        client.send(sign_request_for(make_blob('a')));
        REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 1; }));
    }
    SUBCASE("after it had shut down its writing half") {
        agent.is_silent = true;
        client.send(request_identities_frame());
        client.shut_down_writing();
        REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 1; }));
        settle(proxied.loop);
    }
    client.close();
    CHECK(run_until(proxied.loop, [&] { return agent.ended == 1; }));
    CHECK(run_until(proxied.loop, [&] { return proxied.proxy->clients() == 0; }));
    CHECK(agent.open_connections() == 1);
}

TEST_CASE("clients that come and go leave nothing behind at the agent") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    for (int i = 0; i < 200; ++i) {
        FarEnd client = proxied.connect();
        client.send(request_identities_frame());
        switch (i % 3) {
        case 0:
            proxied.receive(client);
            break;
        case 1:
            client.shut_down_writing();
            proxied.receive(client);
            break;
        default:
            break;
        }
    }
    CHECK(run_until(proxied.loop, [&] { return proxied.proxy->clients() == 0; }));
    CHECK(run_until(proxied.loop, [&] { return agent.open_connections() == 1; }));
}

TEST_CASE("what is not the protocol closes that client and nobody else") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd good = proxied.connect();
    proxied.ask(good, request_identities_frame());
    FarEnd bad = proxied.connect();
    SUBCASE("a message of no bytes") {
        bad.send(std::string(4, '\0'));
    }
    SUBCASE("a message that is too long") {
        bad.send(WireWriter().uint32(longest_message + 1).bytes());
    }
    SUBCASE("a length of a gigabyte") {
        bad.send(WireWriter().uint32(0x40000000).bytes() + "x");
    }
    SUBCASE("text") {
        bad.send("GET / HTTP/1.1\r\n\r\n");
    }
    SUBCASE("after a request") {
        bad.send(request_identities_frame() + std::string(4, '\0'));
    }
    CHECK(proxied.ends(bad));
    CHECK(run_until(proxied.loop, [&] { return proxied.proxy->clients() == 1; }));
    CHECK(proxied.ask(good, request_identities_frame()) == list_of(agent));
    CHECK(agent.open_connections() == 2);
}

// Where there is no agent.

TEST_CASE("without an agent a request waits for the grace, then fails") {
    Proxied proxied(with_grace(30ms));
    FarEnd client = proxied.connect();
    const TimePoint before = Clock::now();
    CHECK(proxied.ask(client, request_identities_frame()) == failure_frame());
    CHECK(Clock::now() - before >= 30ms);
    CHECK(proxied.ask(client, sign_request_for(make_blob('a'))) == failure_frame());
    CHECK(proxied.ask(client, add_key_frame) == failure_frame());
    CHECK(proxied.proxy->statistics().failed == 3);
    CHECK(proxied.proxy->statistics().answered == 0);
}

TEST_CASE("an agent that becomes live during the grace gets the request") {
    for (const std::string& request :
         {request_identities_frame(), sign_request_for(make_blob('a')), add_key_frame}) {
        Proxied proxied;
        FarEnd client = proxied.connect();
        client.send(request);
        settle(proxied.loop);
        FakeAgent& agent = proxied.add_live('a');
        CHECK(!proxied.receive(client).empty());
        CHECK(frames_at(agent) == std::vector{request});
    }
}

TEST_CASE("a client that leaves during the grace is forgotten") {
    Proxied proxied;
    FarEnd client = proxied.connect();
    client.send(request_identities_frame());
    settle(proxied.loop);
    client.close();
    CHECK(run_until(proxied.loop, [&] { return proxied.proxy->clients() == 0; }));
}

TEST_CASE("after a failure the next request is served as ever") {
    Proxied proxied(with_grace(1ms));
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == failure_frame());
    FakeAgent& agent = proxied.add_live('a');
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
}

// Failover.

TEST_CASE("a request that its agent does not answer before it dies goes to the next one") {
    Proxied proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    old_one.keys.push_back(new_one.keys[0]);
    proxied.pool.find(old_one.path())->refresh();
    settle(proxied.loop);
    new_one.is_silent = true;
    std::string request;
    SUBCASE("list") {
        request = request_identities_frame();
    }
    SUBCASE("query") {
        request = query_frame();
    }
    SUBCASE("sign") {
        request = sign_request_for(make_blob('b'));
    }
    SUBCASE("session-bind") {
        request = session_bind_frame();
    }
    FarEnd client = proxied.connect();
    client.send(request);
    REQUIRE(run_until(proxied.loop, [&] { return new_one.client_requests().size() == 1; }));
    new_one.log_out();
    const std::string answer = proxied.receive(client);
    CHECK(frames_at(old_one) == std::vector{request});
    CHECK(!answer.empty());
    CHECK(proxied.proxy->statistics().failed == 0);
    CHECK(proxied.proxy->statistics().answered == 1);
}

TEST_CASE("an agent that hangs up on requests is passed over, not asked again and again") {
    Proxied proxied(with_grace(1ms));
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    new_one.hangs_up_on_requests = true;
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
    CHECK(new_one.client_requests().size() == 1);
}

TEST_CASE("an agent whose answer is not the protocol is passed over") {
    Proxied proxied(with_grace(1ms));
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    new_one.answer = [](const auto&) { return WireWriter().uint32(0x40000000).bytes(); };
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
}

TEST_CASE("a request is answered by the one agent that lives of many that have just ended") {
    Proxied proxied;
    FakeAgent& oldest = proxied.add_live('a');
    for (char fill = 'b'; fill < 'k'; ++fill)
        proxied.add_live(fill).hangs_up_on_requests = true;
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(oldest));
    for (std::size_t i = 1; i < proxied.agents.size(); ++i)
        CHECK(proxied.agents[i]->client_requests().size() == 1);
}

TEST_CASE("a request fails when three agents have let its time pass") {
    ProxySettings hasty = Proxied::slow_proxy;
    hasty.list_timeout = 10ms;
    Proxied proxied(hasty);
    for (const char fill : {'a', 'b', 'c', 'd'})
        proxied.add_live(fill);
    for (const auto& agent : proxied.agents)
        agent->is_silent = true;
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == failure_frame());
    CHECK(proxied.agents[0]->client_requests().empty());
    for (std::size_t i = 1; i < 4; ++i)
        CHECK(proxied.agents[i]->client_requests().size() == 1);
}

TEST_CASE("an agent that is asked again over a new connection counts once") {
    Proxied proxied;
    FakeAgent& oldest = proxied.add_live('a');
    FakeAgent& older = proxied.add_live('b');
    FakeAgent& newest = proxied.add_live('c');
    FarEnd client = proxied.connect();
    REQUIRE(proxied.ask(client, request_identities_frame()) == list_of(newest));
    older.hangs_up_on_requests = newest.hangs_up_on_requests = true;
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(oldest));
    CHECK(newest.client_requests().size() == 3);
    CHECK(older.client_requests().size() == 1);
}

TEST_CASE("a request that changes an agent is never sent twice") {
    const std::string requests[] = {
        add_key_frame,
        make_frame(MessageType::remove_all_identities),
        make_frame(MessageType::lock, "words"),
        make_frame(static_cast<MessageType>(99)),
        make_frame(MessageType::extension, WireWriter().string("x@y").bytes()),
    };
    for (const std::string& request : requests)
        for (const bool is_kept : {false, true})
            for (const bool agent_dies : {false, true}) {
                CAPTURE(static_cast<int>(Message(request).type()));
                CAPTURE(is_kept);
                CAPTURE(agent_dies);
                Proxied proxied;
                FakeAgent& old_one = proxied.add_live('a');
                FakeAgent& new_one = proxied.add_live('b');
                FarEnd client = proxied.connect();
                if (is_kept)
                    proxied.ask(client, request_identities_frame());
                new_one.is_silent = true;
                client.send(request);
                REQUIRE(run_until(proxied.loop, [&] { return new_one.count(request) == 1; }));
                if (agent_dies)
                    new_one.log_out();
                else
                    new_one.hang_up(1);
                CHECK(proxied.receive(client) == failure_frame());
                settle(proxied.loop);
                CHECK(old_one.client_requests().empty());
                CHECK(new_one.count(request) == 1);
            }
}

TEST_CASE(
    "a request that changes an agent goes to the next one where the first cannot be reached") {
    Proxied proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    new_one.stop_listening();
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, add_key_frame) == success_frame);
    CHECK(frames_at(old_one) == std::vector{add_key_frame});
    CHECK(new_one.client_requests().empty());
}

TEST_CASE("a sign request only goes on to an agent that offers its key") {
    Proxied proxied(with_grace(30ms));
    FakeAgent& with_key = proxied.add_live('k');
    FakeAgent& without = proxied.add_live('w');
    FakeAgent& newest = proxied.add_live('n');
    newest.hangs_up_on_requests = true;
    FarEnd client = proxied.connect();
    SUBCASE("there is one") {
        CHECK(proxied.ask(client, sign_request_for(make_blob('k'))) == signature_of(with_key));
    }
    SUBCASE("there is none") {
        CHECK(proxied.ask(client, sign_request_for(make_blob('z'))) == failure_frame());
        CHECK(with_key.client_requests().empty());
    }
    CHECK(without.client_requests().empty());
    CHECK(newest.client_requests().size() == 1);
}

TEST_CASE("the first agent is asked to sign even where it does not offer the key") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, sign_request_for(make_blob('z'))) == signature_of(agent));
}

// Session binding.

TEST_CASE("a new agent gets the client's session-bind messages, in order, before its request") {
    Proxied proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame("one")) == success_frame);
    CHECK(proxied.ask(client, session_bind_frame("two")) == success_frame);
    SUBCASE("when the former died while idle") {
        new_one.log_out();
        REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.candidates().size() == 1; }));
        CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
    }
    SUBCASE("when the former died with the request") {
        new_one.is_silent = true;
        client.send(request_identities_frame());
        REQUIRE(run_until(proxied.loop, [&] { return new_one.client_requests().size() == 3; }));
        new_one.log_out();
        CHECK(proxied.receive(client) == list_of(old_one));
    }
    CHECK(frames_at(old_one) == std::vector{session_bind_frame("one"), session_bind_frame("two"),
                                            request_identities_frame()});
    CHECK(proxied.proxy->statistics().answered == 3);
}

TEST_CASE("the same agent gets the bindings again on a new connection, and only then") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    proxied.ask(client, session_bind_frame());
    proxied.ask(client, request_identities_frame());
    agent.hang_up(1);
    settle(proxied.loop);
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(frames_at(agent) == std::vector{session_bind_frame(), request_identities_frame(),
                                          session_bind_frame(), request_identities_frame(),
                                          request_identities_frame()});
}

TEST_CASE("an agent that refuses a binding that was accepted before gets no request") {
    Proxied proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    old_one.refuses_bindings = true;
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame()) == success_frame);
    new_one.log_out();
    REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.candidates().size() == 1; }));
    CHECK(proxied.ask(client, sign_request_for(make_blob('a'))) == failure_frame());
    CHECK(frames_at(old_one) == std::vector{session_bind_frame()});
    CHECK(run_until(proxied.loop, [&] { return old_one.open_connections() == 1; }));
}

TEST_CASE("a binding that was refused in the first place may be refused again") {
    Proxied proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    new_one.refuses_bindings = true;
    SUBCASE("and is") {
        old_one.refuses_bindings = true;
    }
    SUBCASE("or accepted") {}
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame()) == failure_frame());
    new_one.log_out();
    REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.candidates().size() == 1; }));
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
}

TEST_CASE("an agent that dies while bindings are repeated is passed over, whatever is asked") {
    Proxied proxied;
    FakeAgent& oldest = proxied.add_live('a');
    FakeAgent& middle = proxied.add_live('b');
    FakeAgent& newest = proxied.add_live('c');
    middle.hangs_up_on_extensions = true;
    FarEnd client = proxied.connect();
    proxied.ask(client, session_bind_frame());
    newest.log_out();
    REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.candidates().size() == 2; }));
    CHECK(proxied.ask(client, add_key_frame) == success_frame);
    CHECK(frames_at(oldest) == std::vector{session_bind_frame(), add_key_frame});
    CHECK(frames_at(middle) == std::vector{session_bind_frame()});
}

// Silence.

TEST_CASE("an agent that does not answer in time is given up") {
    ProxySettings settings = with_grace(1ms);
    settings.list_timeout = 30ms;
    Proxied proxied(settings);
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    new_one.is_silent = true;
    FarEnd client = proxied.connect();
    SUBCASE("a list goes to the next one") {
        CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
    }
    SUBCASE("with no other, it fails") {
        old_one.log_out();
        CHECK(proxied.ask(client, request_identities_frame()) == failure_frame());
    }
    SUBCASE("so does a session-bind") {
        CHECK(proxied.ask(client, session_bind_frame()) == success_frame);
    }
    CHECK(run_until(proxied.loop, [&] { return new_one.ended == 1; }));
}

TEST_CASE("a signature and a change have the time that a person needs") {
    ProxySettings settings = with_grace(1ms);
    settings.list_timeout = 1ms;
    settings.sign_timeout = 60ms;
    Proxied proxied(settings);
    FakeAgent& agent = proxied.add_live('a');
    agent.is_silent = true;
    FarEnd client = proxied.connect();
    const TimePoint before = Clock::now();
    std::string request;
    SUBCASE("sign") {
        request = sign_request_for(make_blob('a'));
    }
    SUBCASE("add") {
        request = add_key_frame;
    }
    CHECK(proxied.ask(client, request) == failure_frame());
    CHECK(Clock::now() - before >= 60ms);
    CHECK(agent.client_requests().size() == 1);
}

TEST_CASE(
    "an agent that lets a request wait is asked whether it lives; when late, another answers") {
    Proxied proxied(Proxied::slow_proxy,
                    {.interval = std::chrono::hours(1), .timeout = 20ms, .hung_after = 1h});
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    new_one.is_silent = true;
    FarEnd client = proxied.connect();
    SUBCASE("on a new connection") {}
    SUBCASE("on one that has served before") {
        new_one.is_silent = false;
        proxied.ask(client, request_identities_frame());
        new_one.is_silent = true;
    }
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
    CHECK(proxied.pool.find(new_one.path())->state() == AgentState::late);
    CHECK(new_one.count(query_frame()) == 1);
}

TEST_CASE("a late agent that is the only one keeps the request, and may still answer it") {
    Proxied proxied(Proxied::slow_proxy,
                    {.interval = std::chrono::hours(1), .timeout = 20ms, .hung_after = 1h});
    FakeAgent& agent = proxied.add_live('a');
    agent.is_silent = true;
    FarEnd client = proxied.connect();
    client.send(request_identities_frame());
    REQUIRE(run_until(proxied.loop,
                      [&] { return proxied.pool.selected()->state() == AgentState::late; }));
    settle(proxied.loop);
    CHECK(client.received().empty());
    SUBCASE("it answers") {
        agent.answer_now(agent.client_requests().at(0));
        CHECK(proxied.receive(client) == list_of(agent));
    }
    SUBCASE("another one becomes live") {
        FakeAgent& other = proxied.make_agent('b');
        proxied.add(other);
        CHECK(proxied.receive(client) == list_of(other));
    }
}

TEST_CASE("a sign request stays with a late agent: a touch takes its time") {
    Proxied proxied(Proxied::slow_proxy,
                    {.interval = std::chrono::hours(1), .timeout = 10ms, .hung_after = 20ms});
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    new_one.is_silent = true;
    FarEnd client = proxied.connect();
    client.send(sign_request_for(make_blob('b')));
    const Candidate& asked = *proxied.pool.find(new_one.path());
    REQUIRE(run_until(proxied.loop, [&] { return asked.state() == AgentState::late; }));
    const TimePoint late = Clock::now();
    REQUIRE(run_until(proxied.loop, [&] { return Clock::now() - late > 60ms; }));
    CHECK(asked.state() == AgentState::late);
    CHECK(old_one.client_requests().empty());
    new_one.answer_now(new_one.client_requests().at(0));
    CHECK(proxied.receive(client) == signature_of(new_one));
    REQUIRE(run_until(proxied.loop, [&] { return asked.state() == AgentState::hung; }));
}

TEST_CASE("a request at an agent that hangs fails in bounded time, and works when it is back") {
    Proxied proxied(with_grace(10ms),
                    {.interval = std::chrono::hours(1), .timeout = 10ms, .hung_after = 30ms});
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    proxied.ask(client, request_identities_frame());
    agent.is_silent = true;
    CHECK(proxied.ask(client, request_identities_frame()) == failure_frame());
    CHECK(proxied.pool.selected() == nullptr);
    CHECK(proxied.ask(client, request_identities_frame()) == failure_frame());
    CHECK(run_until(proxied.loop, [&] { return agent.open_connections() == 1; }));

    agent.is_silent = false;
    agent.send(0, failure_frame()); // to the query of the sentinel
    REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.selected() != nullptr; }));
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
}

TEST_CASE("an agent whose backlog is full is dialled again") {
    Proxied proxied;
    FakeAgent& agent = proxied.make_agent('a');
    agent.stop_listening();
    agent.listen(0);
    proxied.add(agent);
    REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.selected() != nullptr; }));
    agent.stop_accepting();
    std::vector<FarEnd> others;
    do
        others.emplace_back(agent.path());
    while (others.back().is_open());
    FarEnd client = proxied.connect();
    client.send(request_identities_frame());
    settle(proxied.loop);
    CHECK(client.received().empty());
    agent.accept_again();
    CHECK(proxied.receive(client) == list_of(agent));
}

// What happens on a connection that is kept.

TEST_CASE("a connection that the agent closed while it was idle costs the client nothing") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    proxied.ask(client, request_identities_frame());
    SUBCASE("and we have heard of it") {
        agent.hang_up(1);
        settle(proxied.loop);
        CHECK(proxied.ask(client, add_key_frame) == success_frame);
    }
    SUBCASE("with the next request") {
        agent.answer = [&](const FakeAgent::Request& request) -> std::optional<std::string> {
            if (request.connection == 1) {
                agent.hang_up(1);
                return std::nullopt;
            }
            return list_of(agent);
        };
        CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    }
    CHECK(agent.accepted == 3);
}

TEST_CASE("an answer that nobody asked for is not taken for that of the next request") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    SUBCASE("together with one that was") {
        agent.answer = [&](const FakeAgent::Request& request) {
            return request.connection == 1 ? list_of(agent) + success_frame : list_of(agent);
        };
        proxied.ask(client, request_identities_frame());
    }
    SUBCASE("later") {
        proxied.ask(client, request_identities_frame());
        agent.send(1, success_frame);
    }
    settle(proxied.loop);
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(client.received().empty());
    CHECK(agent.accepted == 3);
}

TEST_CASE("a connection is kept when a newer agent becomes live, and left when its own dies") {
    Proxied proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FarEnd client = proxied.connect();
    proxied.ask(client, request_identities_frame());
    FakeAgent& new_one = proxied.add_live('b');
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
    old_one.log_out();
    REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.candidates().size() == 1; }));
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(new_one));
}

// What is learnt in passing.

TEST_CASE("a list of another length than the one that is known is news of the agent's keys") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    agent.keys.push_back({make_blob('b'), ""});
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(
        run_until(proxied.loop, [&] { return proxied.pool.selected()->identities().size() == 2; }));
}

TEST_CASE("a change that an agent accepts is news of its keys, one that it refuses is not") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, add_key_frame) == success_frame);
    CHECK(run_until(proxied.loop, [&] { return agent.count(request_identities_frame()) == 2; }));
    settle(proxied.loop);
    agent.answer = [](const auto&) { return failure_frame(); };
    CHECK(proxied.ask(client, add_key_frame) == failure_frame());
    settle(proxied.loop);
    CHECK(agent.count(request_identities_frame()) == 2);
}

// Limits.

namespace {

/// A session without a proxy.
struct LoneSession final : SessionHost {
    Proxied proxied;
    ProxySettings proxy_settings = Proxied::slow_proxy;
    FarEnd client;
    std::unique_ptr<Session> session;
    int closed = 0;
    int refused = 0;
    int upstreams = 0;
    std::optional<std::uint64_t> preferred = 0; ///< by the client; nothing: not known yet
    std::uint64_t known_last = 0;

    LoneSession() {
        auto [ours, theirs] = make_connection();
        client = std::move(theirs);
        SessionHost& host = *this;
        session = std::make_unique<Session>(host, std::move(ours), ::getpid());
        session->start();
    }

    EventLoop& loop() override { return proxied.loop; }
    AgentPool& agents() override { return proxied.pool; }
    const ProxySettings& settings() const override { return proxy_settings; }
    void session_closed(Session&) override { ++closed; }
    void client_refused(const std::string&) override { ++refused; }
    void request_answered(const Session&) override {}
    void request_failed(FailedRequest) override {}
    bool has_turn(Session&, Candidate&) override { return true; }
    bool is_awaited(std::uint64_t) override { return false; }
    std::optional<std::uint64_t> locate(Session&, bool is_late) override {
        return is_late ? known_last : preferred;
    }
    bool refuse(const Message&, pid_t) override { return false; }
    void sign_waits(std::string_view, pid_t) override {}
    void leave_queue(Session&) override {}
    void upstream_opened() override { ++upstreams; }
    void upstream_closed(std::uint64_t) override { --upstreams; }
};

} // namespace

TEST_CASE("a client that is stalled since before a limit is closed, another is not") {
    LoneSession lone;
    CHECK((lone.session->close_if_stalled_since(Clock::now() + 1h), lone.closed == 0));
    const TimePoint before = Clock::now();
    SUBCASE("with half a message") {
        lone.client.send(std::string("\0\0\0\5x", 5));
    }
    SUBCASE("with an answer that it does not read") {
        FakeAgent& agent = lone.proxied.add_live('a');
        agent.answer = [](const auto&) {
            return make_frame(MessageType::success, std::string(longest_message - 1, 'x'));
        };
        lone.client.send(request_identities_frame());
        lone.client.send(request_identities_frame());
    }
    for (int i = 0; i < 10; ++i)
        settle(lone.proxied.loop);
    lone.session->close_if_stalled_since(before - 1ms);
    CHECK(lone.closed == 0);
    lone.session->close_if_stalled_since(Clock::now() + 1ms);
    CHECK(lone.session->is_closed());
    CHECK(lone.closed == 1);
    CHECK(lone.refused == 1);
    CHECK(lone.upstreams == 0);
    lone.session->close_if_stalled_since(Clock::now() + 1h);
    CHECK(lone.closed == 1);
    CHECK(run_until(lone.proxied.loop, [&] { return lone.client.at_end(); }));
}

TEST_CASE("connections to agents are counted, however they end") {
    LoneSession lone;
    FakeAgent& agent = lone.proxied.add_live('a');
    lone.client.send(request_identities_frame());
    REQUIRE(run_until(lone.proxied.loop, [&] { return !lone.client.take().empty(); }));
    CHECK(lone.upstreams == 1);
    SUBCASE("the agent closes it") {
        agent.hang_up(1);
    }
    SUBCASE("the agent dies") {
        agent.log_out();
    }
    SUBCASE("the client leaves") {
        lone.client.close();
    }
    SUBCASE("the session is destroyed") {
        lone.session.reset();
    }
    CHECK(run_until(lone.proxied.loop, [&] { return lone.upstreams == 0; }));
    settle(lone.proxied.loop);
    CHECK(lone.upstreams == 0);
}

TEST_CASE("a client's bindings are remembered up to the number that OpenSSH's agent takes") {
    Proxied proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    FarEnd client = proxied.connect();
    for (int i = 0; i < 16; ++i)
        CHECK(proxied.ask(client, session_bind_frame(std::to_string(i))) == success_frame);
    new_one.log_out();
    REQUIRE(run_until(proxied.loop, [&] { return proxied.pool.candidates().size() == 1; }));
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
    CHECK(frames_at(old_one).size() == 17);
}

TEST_CASE("nothing is asked for a client whose session-bind could not be repeated elsewhere") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    std::size_t accepted = 0;
    std::string last;
    SUBCASE("it is one too many") {
        for (; accepted < 16; ++accepted)
            CHECK(proxied.ask(client, session_bind_frame(std::to_string(accepted))) ==
                  success_frame);
        last = "17";
    }
    SUBCASE("it is too long") {
        last = std::string(64 * 1024, 'x');
    }
    SUBCASE("all of them together are") {
        for (; accepted < 3; ++accepted)
            CHECK(proxied.ask(client, session_bind_frame(std::string(20 * 1024, 'x'))) ==
                  success_frame);
        last = std::string(20 * 1024, 'x');
    }
    CHECK(proxied.ask(client, session_bind_frame(last)) == failure_frame());
    CHECK(proxied.ask(client, request_identities_frame()) == failure_frame());
    CHECK(proxied.ask(client, session_bind_frame("short")) == failure_frame());
    CHECK(frames_at(agent).size() == accepted);
    FarEnd other = proxied.connect();
    CHECK(proxied.ask(other, request_identities_frame()) == list_of(agent));
}

TEST_CASE("one whose session-bind could not be kept is not given away, it ends") {
    Proxied proxied;
    proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame(std::string(64 * 1024, 'x'))) == failure_frame());
    int taken = 0;
    proxied.proxy->give_clients([&](int, std::span<const SessionBinding>) {
        ++taken;
        return true;
    });
    CHECK(proxied.ends(client));
    CHECK(taken == 0);
}

TEST_CASE("who asks an agent that waits for a touch waits with it") {
    ProxySettings settings = Proxied::slow_proxy;
    settings.list_timeout = 20ms;
    Proxied proxied(settings);
    FakeAgent& agent = proxied.add_live('a');
    agent.is_silent = true;
    FarEnd signer = proxied.connect();
    signer.send(sign_request_for(make_blob('a')));
    REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 1; }));
    const TimePoint began = Clock::now();
    FarEnd other = proxied.connect();
    other.send(request_identities_frame());
    SUBCASE("as long as there is no other") {
        CHECK(run_until(proxied.loop,
                        [&] { return Clock::now() - began > 5 * settings.list_timeout; }));
        CHECK(other.received().empty());
        agent.is_silent = false;
        for (const auto& request : agent.client_requests())
            agent.answer_now(request);
        CHECK(proxied.receive(other) == list_of(agent));
        CHECK(proxied.receive(signer) == signature_of(agent));
    }
    SUBCASE("and goes to another if there is one") {
        FakeAgent& another = proxied.make_agent('b');
        proxied.add(another);
        CHECK(proxied.receive(other) == list_of(another));
        CHECK(signer.received().empty());
    }
}

TEST_CASE("a request goes to the agent that its client prefers, and waits a moment to know that") {
    LoneSession lone;
    lone.proxy_settings.follows_typing = true;
    Proxied& proxied = lone.proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.add_live('b');
    const auto id_of = [&](const FakeAgent& agent) {
        return proxied.pool.find(agent.path())->id();
    };
    const auto ask = [&] { return proxied.ask(lone.client, request_identities_frame()); };
    SUBCASE("one that is known") {
        lone.preferred = id_of(old_one);
        CHECK(ask() == list_of(old_one));
    }
    SUBCASE("another one with the next request") {
        for (const FakeAgent* const agent : {&old_one, &new_one, &old_one}) {
            lone.preferred = id_of(*agent);
            CHECK(ask() == list_of(*agent));
        }
        CHECK(lone.upstreams == 1);
    }
    SUBCASE("one that is known soon") {
        lone.preferred.reset();
        lone.client.send(request_identities_frame());
        settle(proxied.loop);
        lone.session->on_located(); // of somebody else
        CHECK(lone.upstreams == 0);
        lone.preferred = id_of(old_one);
        lone.session->on_located();
        CHECK(proxied.receive(lone.client) == list_of(old_one));
        lone.session->on_located();
        CHECK(lone.upstreams == 1);
    }
    SUBCASE("one that nobody tells") {
        lone.preferred.reset();
        CHECK(ask() == list_of(new_one));
        lone.known_last = id_of(old_one);
        CHECK(ask() == list_of(old_one));
    }
    SUBCASE("one that is not there, or not live") {
        lone.preferred = 4711;
        CHECK(ask() == list_of(new_one));
        lone.preferred = id_of(old_one);
        old_one.log_out();
        CHECK(ask() == list_of(new_one));
    }
    SUBCASE("the proxy ends meanwhile") {
        lone.preferred.reset();
        lone.client.send(request_identities_frame());
        settle(proxied.loop);
        lone.session->on_shutdown();
        CHECK(proxied.receive(lone.client) == failure_frame());
    }
}

TEST_CASE("requests that are refused at once are refused one a turn, and others have theirs") {
    Proxied proxied;
    proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame(std::string(64 * 1024, 'x'))) == failure_frame());
    constexpr std::size_t count = 100;
    std::string requests;
    std::string answers;
    for (std::size_t i = 0; i < count; ++i) {
        requests += request_identities_frame();
        answers += failure_frame();
    }
    REQUIRE(client.send(requests) == requests.size());
    std::size_t turns = 0;
    Watch turn;
    turn = proxied.loop.timer([&] {
        ++turns;
        turn.start(Duration::zero());
    });
    turn.start(Duration::zero());
    CHECK(run_until(proxied.loop, [&] { return client.received() == answers; }));
    CHECK(turns >= count / 2);
}
