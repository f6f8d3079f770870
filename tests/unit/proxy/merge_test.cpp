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
    SUBCASE("after a list") { merged.ask(merged.client, request_identities_frame()); }
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

TEST_CASE("what changes an agent goes to the chosen one alone") {
    Merged merged;
    CHECK(merged.ask(merged.client, add_key_frame) == success_frame);
    CHECK(merged.newer.count(add_key_frame) == 1);
    CHECK(merged.older.count(add_key_frame) == 0);
}
