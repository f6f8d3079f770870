#include "supervisor/agent/agent_conversation.hpp"

#include "supervisor/agent/wire.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

struct Conversing {
    EventLoop loop = make_loop();
    FarEnd agent;
    std::unique_ptr<AgentConversation> conversation;
    std::vector<AgentAnswer::Kind> kinds;
    std::string last;

    Conversing() {
        auto [ours, theirs] = make_connection();
        agent = std::move(theirs);
        conversation = std::make_unique<AgentConversation>(loop, std::move(ours));
    }
    void ask(Duration limit = 1h) {
        conversation->ask(request_identities_frame(), limit, [this](const AgentAnswer& answer) {
            kinds.push_back(answer.kind);
            last = answer.message ? std::string(answer.message->frame()) : std::string();
        });
    }
    void wait_for(std::size_t answers) {
        REQUIRE(run_until(loop, [&] { return kinds.size() == answers; }));
    }
};

} // namespace

TEST_CASE("an agent's answers come one after the other") {
    Conversing c;
    c.ask();
    REQUIRE(run_until(c.loop, [&] { return c.agent.received() == request_identities_frame(); }));
    CHECK(c.kinds.empty());
    const std::string answer = make_frame(MessageType::identities_answer, std::string(4, '\0'));
    c.agent.send(answer);
    c.wait_for(1);
    CHECK(c.kinds[0] == AgentAnswer::Kind::answered);
    CHECK(c.last == answer);
    c.ask();
    c.agent.send(failure_frame());
    c.wait_for(2);
    CHECK(c.kinds[1] == AgentAnswer::Kind::refused);
    CHECK_FALSE(c.conversation->is_asking());
}

TEST_CASE("an agent that hangs up, or speaks something else, breaks the conversation") {
    Conversing c;
    c.ask();
    SUBCASE("it hangs up") {
        c.agent.close();
    }
    SUBCASE("it speaks something else") {
        c.agent.send("HTTP/1.1 200 OK\r\n\r\n");
    }
    c.wait_for(1);
    CHECK(c.kinds[0] == AgentAnswer::Kind::broken);
    c.ask();
    CHECK(c.kinds.size() == 1);
    c.wait_for(2);
    CHECK(c.kinds[1] == AgentAnswer::Kind::broken);
}

TEST_CASE("an agent that does not answer is late, and what it says afterwards is not heard") {
    Conversing c;
    c.ask(1ms);
    c.wait_for(1);
    CHECK(c.kinds[0] == AgentAnswer::Kind::late);
    c.agent.send(failure_frame());
    settle(c.loop);
    CHECK(c.kinds.size() == 1);
}

TEST_CASE("an answer that nobody asked for ends the conversation") {
    Conversing c;
    c.agent.send(failure_frame());
    settle(c.loop);
    c.ask();
    c.wait_for(1);
    CHECK(c.kinds[0] == AgentAnswer::Kind::broken);
}

TEST_CASE("a conversation that is destroyed closes its connection and tells nobody") {
    Conversing c;
    c.ask();
    c.conversation.reset();
    CHECK(c.agent.at_end());
    settle(c.loop);
    CHECK(c.kinds.empty());
}

TEST_CASE("a sign request names the key, the data and the flags") {
    const std::string frame = sign_request_frame("blob", "data", sign_with_rsa_sha2_512);
    WireReader reader(Message(frame).contents());
    CHECK(Message(frame).type() == MessageType::sign_request);
    CHECK(reader.string() == "blob");
    CHECK(reader.string() == "data");
    CHECK(reader.uint32() == 4);
    CHECK(reader.at_end());
}

TEST_CASE("a signature is taken from a sign response alone, and from a whole one") {
    const std::string contents = WireWriter().string("signature").bytes();
    const std::string good = make_frame(MessageType::sign_response, contents);
    CHECK(parse_signature(Message(good)) == "signature");
    for (const std::string& bad :
         {make_frame(MessageType::success, contents),
          make_frame(MessageType::sign_response, contents + "x"),
          make_frame(MessageType::sign_response, contents.substr(0, contents.size() - 1)),
          make_frame(MessageType::sign_response)})
        CHECK_FALSE(parse_signature(Message(bad)));
}
