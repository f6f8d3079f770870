#include "tests/unit/proxy/proxied.hpp"

#include "supervisor/agent/public_key.hpp"
using namespace livesock;

namespace {

const Identity anns_key{make_blob('a'), "ann"};
const Identity bobs_key{make_blob('b'), "bob"};
const std::vector<Identity> both{anns_key, bobs_key};

std::optional<std::string> judge(const PolicySettings& policy, const std::string& frame) {
    return refused_by(policy, Message(frame), both, 0);
}

} // namespace

TEST_CASE("without a rule everything passes") {
    const PolicySettings open;
    CHECK(!open.restricts());
    for (const std::string& frame :
         {add_key_frame, request_identities_frame(), sign_request_for(anns_key.blob)})
        CHECK(!judge(open, frame));
}

TEST_CASE("read_only lets list, sign, query and session-bind pass") {
    const PolicySettings policy{.read_only = true, .keys = {}, .deny_comm = {}};
    CHECK(policy.restricts());
    for (const std::string& frame : {request_identities_frame(), sign_request_for(anns_key.blob),
                                     query_frame(), session_bind_frame()})
        CHECK(!judge(policy, frame));
    for (const MessageType type :
         {MessageType::add_identity, MessageType::remove_identity,
          MessageType::remove_all_identities, MessageType::add_smartcard_key, MessageType::lock,
          MessageType::unlock, MessageType::add_id_constrained, MessageType{99}})
        CHECK(judge(policy, make_frame(type, "x")) == "policy.read_only");
    CHECK(judge(policy, make_frame(MessageType::extension, WireWriter().string("x").bytes())) ==
          "policy.read_only");
}

TEST_CASE("a session-bind always reaches the agent: without it constraints would not apply") {
    const PolicySettings policy{.read_only = true, .keys = {"none"}, .deny_comm = {"unit-proxy"}};
    CHECK(!refused_by(policy, Message(session_bind_frame()), both, ::getpid()));
}

TEST_CASE("keys are allowed by fingerprint and by comment") {
    for (const std::string& name : {std::string("ann"), fingerprint(anns_key.blob)}) {
        const PolicySettings policy{.read_only = false, .keys = {name}, .deny_comm = {}};
        CHECK(policy.restricts());
        CHECK(!judge(policy, sign_request_for(anns_key.blob)));
        CHECK(judge(policy, sign_request_for(bobs_key.blob)) == "policy.keys");
        CHECK(judge(policy, sign_request_for(make_blob('x'))) == "policy.keys");
        CHECK(judge(policy, make_frame(MessageType::sign_request, "cut")) == "policy.keys");
        const std::string list = identities_answer(both);
        CHECK(allowed_identities(policy, Message(list)) == identities_answer({anns_key}));
        const std::string broken = make_frame(MessageType::identities_answer, "x");
        CHECK(allowed_identities(policy, Message(broken)) == identities_answer({}));
    }
}

TEST_CASE("a sign request that waits is told of, once") {
    ProxySettings settings = Proxied::slow_proxy;
    settings.policy.on_wait = "true";
    settings.policy.on_wait_after = std::chrono::milliseconds(300);
    Proxied proxied(settings);
    std::vector<WaitingSign> told;
    proxied.proxy->on_wait([&](const WaitingSign& sign) { told.push_back(sign); });
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, sign_request_for(make_blob('a'))) == signature_of(agent));
    agent.is_silent = true;
    FarEnd listing = proxied.connect();
    listing.send(request_identities_frame());
    const TimePoint before = Clock::now();
    client.send(sign_request_for(make_blob('a')));
    REQUIRE(run_until(proxied.loop, [&] { return !told.empty(); }));
    CHECK(Clock::now() - before >= std::chrono::milliseconds(300));
    CHECK(told[0].key == fingerprint(make_blob('a')));
    CHECK(told[0].comment == "a");
    CHECK(told[0].pid == ::getpid());
    CHECK(told[0].program.starts_with("unit-"));
    for (const FakeAgent::Request& request : agent.client_requests())
        if (request.frame == request_identities_frame())
            agent.answer_now(request);
    CHECK(proxied.receive(listing) == list_of(agent));
    agent.send(1, signature_of(agent));
    CHECK(proxied.receive(client) == signature_of(agent));
    CHECK(told.size() == 1);
}

TEST_CASE("what the policy refuses is a failure, is remembered, and reaches no agent") {
    ProxySettings settings = Proxied::slow_proxy;
    settings.policy.read_only = true;
    settings.policy.keys = {"a"};
    Proxied proxied(settings);
    FakeAgent& agent = proxied.add_live('a');
    agent.keys.push_back({make_blob('b'), "b"});
    proxied.pool.find(agent.path())->refresh();
    settle(proxied.loop);
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, add_key_frame) == failure_frame());
    CHECK(proxied.ask(client, sign_request_for(make_blob('b'))) == failure_frame());
    CHECK(agent.client_requests().empty());
    REQUIRE(proxied.proxy->failures().requests().size() == 2);
    CHECK(proxied.proxy->failures().requests()[1].cause == "it is refused by policy.keys");
    CHECK(proxied.proxy->statistics().failed == 2);
    CHECK(proxied.ask(client, sign_request_for(make_blob('a'))) == signature_of(agent));
    CHECK(proxied.ask(client, request_identities_frame()) ==
          identities_answer({{make_blob('a'), "a"}}));
}
