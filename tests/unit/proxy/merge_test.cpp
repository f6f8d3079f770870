// Several agents as one.

#include "tests/unit/proxy/proxied.hpp"

using namespace livesock;
using namespace std::chrono_literals;

namespace {

ProxySettings merging() {
    ProxySettings settings = Proxied::slow_proxy;
    settings.merge = true;
    return settings;
}

/// The newest first: "b", then "a".
struct Merged : Proxied {
    FakeAgent& older = add_live('a');
    FakeAgent& newer = add_live('b');
    FarEnd client = connect();
    explicit Merged(const ProbeSettings& probe = slow_probe)
        : Proxied(merging(), probe) {}

    std::string both() const {
        return identities_answer({{make_blob('b'), "b"}, {make_blob('a'), "a"}});
    }
};

/// The older one has no room: a signature is made there, slowly.
struct Crowded : Proxied {
    FakeAgent& older = add_live('a');
    FakeAgent& newer = add_live('b');
    FarEnd signing = connect();
    Crowded()
        : Proxied(hasty()) {
        older.is_silent = true;
        signing.send(sign_request_for(make_blob('a')));
        REQUIRE(run_until(loop, [&] { return !older.client_requests().empty(); }));
        pool.find(older.path())->limit_upstreams(2);
    }
    static ProxySettings hasty() {
        ProxySettings settings = merging();
        settings.grace = 1ms;
        settings.list_timeout = 300ms;
        return settings;
    }
};

} // namespace

TEST_CASE("the keys of all live agents are listed, those of the chosen one first") {
    Merged merged;
    CHECK(merged.ask(merged.client, request_identities_frame()) == merged.both());
    CHECK(merged.ask(merged.client, request_identities_frame()) == merged.both());
    REQUIRE(merged.pool.pin(merged.older.path()));
    CHECK(merged.ask(merged.client, request_identities_frame()) ==
          identities_answer({{make_blob('a'), "a"}, {make_blob('b'), "b"}}));
}

TEST_CASE("each key signs at the agent that offers it") {
    Merged merged;
    SUBCASE("after a list") {
        merged.ask(merged.client, request_identities_frame());
    }
    SUBCASE("without one") {}
    for (int i = 0; i < 2; ++i) {
        CHECK(merged.ask(merged.client, sign_request_for(make_blob('a'))) ==
              signature_of(merged.older));
        CHECK(merged.ask(merged.client, sign_request_for(make_blob('b'))) ==
              signature_of(merged.newer));
    }
    // What nobody offers the chosen one may know.
    CHECK(merged.ask(merged.client, sign_request_for(make_blob('x'))) ==
          signature_of(merged.newer));
}

TEST_CASE("a key that only this client's list has shown is signed with where it was") {
    Merged merged;
    merged.older.keys.push_back({make_blob('n'), "new"});
    merged.ask(merged.client, request_identities_frame());
    CHECK(merged.ask(merged.client, sign_request_for(make_blob('n'))) ==
          signature_of(merged.older));
}

TEST_CASE("every agent gets the client's bindings first") {
    Merged merged;
    CHECK(merged.ask(merged.client, session_bind_frame()) == success_frame);
    CHECK(merged.ask(merged.client, request_identities_frame()) == merged.both());
    CHECK(merged.older.client_requests().at(0).frame == session_bind_frame());
    CHECK(merged.ask(merged.client, sign_request_for(make_blob('a'))) ==
          signature_of(merged.older));
}

TEST_CASE("an agent that fails is left out of the list") {
    Merged merged;
    SUBCASE("the first") {
        merged.newer.hangs_up_on_requests = true;
        CHECK(merged.ask(merged.client, request_identities_frame()) == list_of(merged.older));
    }
    SUBCASE("the last") {
        merged.older.hangs_up_on_requests = true;
        CHECK(merged.ask(merged.client, request_identities_frame()) == list_of(merged.newer));
    }
    SUBCASE("one that has died") {
        merged.newer.log_out();
        REQUIRE(run_until(merged.loop, [&] { return merged.pool.candidates().size() == 1; }));
        CHECK(merged.ask(merged.client, request_identities_frame()) == list_of(merged.older));
    }
}

TEST_CASE("an agent that refuses the client's binding is left out of the list") {
    Merged merged;
    merged.older.refuses_bindings = true;
    CHECK(merged.ask(merged.client, session_bind_frame()) == success_frame);
    CHECK(merged.ask(merged.client, request_identities_frame()) == list_of(merged.newer));
}

TEST_CASE("an agent that has no room is left out of the list when it was waited for") {
    Crowded crowded;
    FarEnd client = crowded.connect();
    CHECK(crowded.ask(client, request_identities_frame()) == list_of(crowded.newer));
}

TEST_CASE("who was given a list without an agent that had no room waits for it no longer") {
    Crowded crowded;
    FarEnd idle = crowded.connect();
    CHECK(crowded.ask(idle, request_identities_frame()) == list_of(crowded.newer));
    crowded.older.is_silent = false;
    crowded.older.answer_now(crowded.older.client_requests()[0]);
    CHECK(crowded.receive(crowded.signing) == signature_of(crowded.older));
    crowded.signing.close();
    FarEnd third = crowded.connect();
    CHECK(crowded.ask(third, sign_request_for(make_blob('a'))) == signature_of(crowded.older));
}

TEST_CASE("agents that are merged from now on serve a request that was there before") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    agent.is_silent = true;
    FarEnd client = proxied.connect();
    client.send(request_identities_frame());
    REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 1; }));
    proxied.proxy->apply(merging());
    agent.answer_now(agent.client_requests()[0]);
    CHECK(proxied.receive(client) == list_of(agent));
}

TEST_CASE(
    "what changes an agent goes to the chosen one over a connection that has signed elsewhere") {
    Merged merged;
    CHECK(merged.ask(merged.client, sign_request_for(make_blob('a'))) ==
          signature_of(merged.older));
    CHECK(merged.ask(merged.client, add_key_frame) == success_frame);
    CHECK(merged.newer.count(add_key_frame) == 1);
}

TEST_CASE("what changes an agent goes to the chosen one alone") {
    Merged merged;
    CHECK(merged.ask(merged.client, add_key_frame) == success_frame);
    CHECK(merged.newer.count(add_key_frame) == 1);
    CHECK(merged.older.count(add_key_frame) == 0);
}
