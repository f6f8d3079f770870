#include "supervisor/broker/bus_agent.hpp"

#include "supervisor/agent/agent_conversation.hpp"
#include "supervisor/agent/base64.hpp"
#include "supervisor/broker/envelope.hpp"
#include "supervisor/broker/payload.hpp"
#include "supervisor/broker/text_forms.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/fake_http_server.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"

#include <map>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace livesock;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const Identity ann{make_blob('a'), "ann@desk"};
const Identity bob{make_blob('b'), "bob"};

/// An agent whose bus the test plays.
struct Bus {
    EventLoop loop = make_loop();
    FakeHttpServer server{loop};
    Duration sign_limit = 1h;
    BusAgent agent{loop, server.url("/v1/publish"), "secret", {}, [this] {
                       return std::chrono::duration_cast<std::chrono::milliseconds>(sign_limit);
                   }};
    std::map<std::string, int> asked;
    std::map<std::string, json> payloads{
        {"ping", {{"status", "ok"}}},
        {"list", json::parse(list_payload(std::vector<Identity>{ann, bob}))},
        {"sign", {{"format", "ssh-ed25519"}, {"blob", to_base64("sss")}, {"rest", "AQ=="}}}};
    std::map<std::string, std::string> bodies; ///< in place of an envelope
    std::map<std::string, int> statuses;       ///< in place of 200
    std::string silent;                        ///< this operation gets no answer

    Bus() {
        server.on_request = [this](const FakeHttpServer::Request& request) {
            const std::string name = json::parse(request.body)["payload"]["operation"];
            ++asked[name];
            if (name == silent)
                return;
            const auto status = statuses.find(name);
            const auto body = bodies.find(name);
            server.answer(request.connection, status == statuses.end() ? 200 : status->second,
                          body == bodies.end() ? response(payloads[name]).dump() : body->second);
        };
    }
    static json response(const json& payload) {
        const auto now = std::chrono::system_clock::now();
        Envelope request;
        request.id = new_message_id(now);
        return json::parse(to_json(response_to(request, payload.dump(), now), now));
    }
    FarEnd connect() {
        Result<AgentConnection> connection = agent.connect();
        REQUIRE(connection);
        return FarEnd(std::move(connection->fd));
    }
    /// What comes for `frame`; nothing if the connection ends instead.
    std::string ask(FarEnd& client, const std::string& frame) {
        client.send(frame);
        std::string all;
        REQUIRE(run_until(loop, [&] {
            all += client.take();
            return client.at_end() ||
                   (all.size() >= 4 && all.size() == 4 + WireReader(all).uint32().value_or(0));
        }));
        return all;
    }
    bool ends(FarEnd& client) {
        return run_until(loop, [&] { return client.at_end() && agent.connections() == 0; });
    }
    bool says(const std::string& words) const {
        return agent.trouble().find(words) != std::string::npos;
    }
};

const std::string sign_frame = sign_request_for(ann.blob, "text");

} // namespace

TEST_CASE("a list comes over the bus, behind a first ping") {
    Bus bus;
    FarEnd client = bus.connect();
    CHECK(bus.ask(client, request_identities_frame()) == identities_frame({ann, bob}));
    REQUIRE(bus.server.requests.size() == 2);
    CHECK(bus.server.requests[0].head.starts_with("POST /v1/publish HTTP/1.1\r\n"));
    CHECK(bus.server.requests[0].head.find("Authorization: Bearer secret") != std::string::npos);
    CHECK(json::parse(bus.server.requests[0].body) == json{{"namespace", "ssh-agent"},
                                                           {"type", "request"},
                                                           {"payload", {{"operation", "ping"}}}});
    CHECK(json::parse(bus.server.requests[1].body)["payload"] == json{{"operation", "list"}});
    bus.ask(client, request_identities_frame());
    CHECK(bus.asked["ping"] == 1);
    CHECK(bus.agent.trouble().empty());
}

TEST_CASE("a signature comes over the bus, with what a security key has behind it") {
    Bus bus;
    FarEnd client = bus.connect();
    CHECK(bus.ask(client, sign_request_frame(ann.blob, "text", 4)) ==
          make_frame(MessageType::sign_response,
                     WireWriter()
                         .string(WireWriter().string("ssh-ed25519").string("sss").bytes() + "\x01")
                         .bytes()));
    CHECK(json::parse(bus.server.requests.back().body)["payload"] ==
          json{{"operation", "sign"},
               {"public_key", to_base64(ann.blob)},
               {"data", to_base64("text")},
               {"flags", 4}});
}

TEST_CASE("the question of the sentinel is a ping") {
    Bus bus;
    FarEnd client = bus.connect();
    CHECK(bus.ask(client, query_frame()) == failure_frame());
    CHECK(bus.asked["ping"] == 1);
    CHECK(bus.ask(client, query_frame()) == failure_frame());
    CHECK(bus.asked["ping"] == 2);
    bus.payloads["ping"] = {{"status", "no"}};
    CHECK(bus.ask(client, query_frame()).empty());
    CHECK(bus.says("status is not \"ok\""));
}

TEST_CASE("what the bus cannot carry is a failure, and does not reach it") {
    Bus bus;
    FarEnd client = bus.connect();
    for (const std::string& frame :
         {make_frame(MessageType::remove_all_identities), session_bind_frame(),
          make_frame(MessageType::extension, WireWriter().string("other@example.org").bytes()),
          make_frame(MessageType::sign_request, "nonsense"),
          make_frame(MessageType::sign_request, WireWriter().string("k").string("d").bytes()),
          make_frame(MessageType::sign_request,
                     WireWriter().string("k").string("d").uint32(0).bytes() + "x")})
        CHECK(bus.ask(client, frame) == failure_frame());
    CHECK(bus.server.accepted == 0);
}

TEST_CASE("requests of one connection go to the bus one after the other") {
    Bus bus;
    FarEnd client = bus.connect();
    bus.silent = "list";
    client.send(request_identities_frame() + sign_frame);
    REQUIRE(run_until(bus.loop, [&] { return bus.asked["list"] == 1; }));
    settle(bus.loop);
    CHECK(bus.asked["sign"] == 0);
    bus.server.answer(bus.server.requests.back().connection, 200,
                      Bus::response(bus.payloads["list"]).dump());
    CHECK(run_until(bus.loop, [&] { return bus.asked["sign"] == 1; }));
}

TEST_CASE("a bus that does not know of a host ends the connection, with what to do") {
    Bus bus;
    FarEnd client = bus.connect();
    std::string words;
    SUBCASE("nobody is connected to it") {
        bus.statuses["ping"] = 503;
        bus.bodies["ping"] = R"({"error":{"code":"NO_CONNECTION","message":"a\nb"}})";
        words = "503 NO_CONNECTION, a\\nb: the host agent may not be running";
    }
    SUBCASE("the host does not answer") {
        bus.statuses["ping"] = 504;
        bus.bodies["ping"] = R"({"error":{"code":"TIMEOUT","message":"m"}})";
        words = "or it waits for its user";
    }
    SUBCASE("the token is wrong") {
        bus.statuses["ping"] = 401;
        words = "compare token_file";
    }
    SUBCASE("it says nothing of use") {
        bus.statuses["ping"] = 500;
        bus.bodies["ping"] = "<html>";
        words = "answers 500";
    }
    SUBCASE("the host refuses the list") {
        bus.payloads["list"] = {{"error", "none\x1b"}, {"code", "INTERNAL_ERROR"}};
        words = "INTERNAL_ERROR";
    }
    SUBCASE("nobody listens") {
        bus.server.stop_listening();
        words = "is the guest's side of the bus running?";
    }
    CHECK(bus.ask(client, request_identities_frame()).empty());
    CHECK(bus.ends(client));
    CHECK_MESSAGE(bus.says(words), bus.agent.trouble());
    CHECK(bus.agent.trouble().find_first_of("\n\x1b") == std::string::npos);
}

TEST_CASE("a response that is none ends the connection, and the next one begins with a ping") {
    Bus bus;
    FarEnd client = bus.connect();
    json wrong = Bus::response(bus.payloads["list"]);
    std::string words = "malformed";
    SUBCASE("no JSON") {
        bus.bodies["list"] = "{";
    }
    SUBCASE("another namespace") {
        wrong["namespace"] = "files";
    }
    SUBCASE("no response") {
        wrong["type"] = "event";
        words = "no response";
    }
    SUBCASE("a part") {
        wrong["final"] = false;
        words = "a part of a response";
    }
    SUBCASE("no keys") {
        wrong["payload"] = json::object();
    }
    SUBCASE("a reply to itself") {
        wrong["in_reply_to"] = wrong["id"];
    }
    SUBCASE("too large") {
        wrong["x"] = std::string(largest_envelope, 'x');
        words = "more than 1048576 bytes";
    }
    if (!bus.bodies.contains("list"))
        bus.bodies["list"] = wrong.dump();
    CHECK(bus.ask(client, request_identities_frame()).empty());
    CHECK(bus.ends(client));
    CHECK_MESSAGE(bus.says(words), bus.agent.trouble());
    bus.bodies.clear();
    FarEnd next = bus.connect();
    CHECK(bus.ask(next, request_identities_frame()) == identities_frame({ann, bob}));
    CHECK(bus.asked["ping"] == 2);
    CHECK(bus.agent.trouble().empty());
}

TEST_CASE("a response of the largest size is one") {
    Bus bus;
    FarEnd client = bus.connect();
    json large = Bus::response(bus.payloads["list"]);
    large["x"] = "";
    large["x"] = std::string(largest_envelope - large.dump().size(), 'x');
    bus.bodies["list"] = large.dump();
    CHECK(bus.ask(client, request_identities_frame()) == identities_frame({ann, bob}));
}

TEST_CASE("a sign request that the bus has taken fails alone, and is not put anywhere else") {
    Bus bus;
    FarEnd client = bus.connect();
    SUBCASE("it is refused") {
        bus.payloads["sign"] = {{"error", "no"}, {"code", "SIGN_FAILED"}};
    }
    SUBCASE("the bus has an error") {
        bus.statuses["sign"] = 502;
    }
    SUBCASE("the response is none") {
        bus.bodies["sign"] = "{}";
    }
    SUBCASE("it does not come in time") {
        bus.silent = "sign";
        bus.sign_limit = 50ms;
    }
    CHECK(bus.ask(client, sign_frame) == failure_frame());
    CHECK(bus.asked["sign"] == 1);
    CHECK(bus.agent.trouble().empty());
    CHECK(bus.ask(client, request_identities_frame()) == identities_frame({ann, bob}));
    CHECK(bus.asked["ping"] == 1);
}

TEST_CASE("a sign request that has not reached the bus may be put elsewhere: the connection ends") {
    Bus bus;
    FarEnd client = bus.connect();
    CHECK(bus.ask(client, query_frame()) == failure_frame());
    bus.server.stop_listening();
    CHECK(bus.ask(client, sign_frame).empty());
    CHECK(bus.ends(client));
    CHECK(bus.says("Connection refused"));
}

TEST_CASE("a caller that leaves has its request given up") {
    Bus bus;
    bus.silent = "list";
    FarEnd client = bus.connect();
    client.send(request_identities_frame());
    REQUIRE(run_until(bus.loop, [&] { return bus.asked["list"] == 1; }));
    const std::size_t ended = bus.server.ended;
    client.close();
    CHECK(run_until(bus.loop, [&] { return bus.server.ended > ended; }));
    CHECK(run_until(bus.loop, [&] { return bus.agent.connections() == 0; }));
    CHECK(bus.agent.trouble().empty());
}

TEST_CASE("there is a limit to the connections of a bus, of which it is told to try later") {
    Bus bus;
    std::vector<AgentConnection> connections;
    for (std::size_t i = 0; i < bus.agent.most_connections(); ++i)
        connections.push_back(std::move(*bus.agent.connect()));
    const Result<AgentConnection> further = bus.agent.connect();
    REQUIRE(!further);
    CHECK(further.error().code == EAGAIN);
    connections.clear();
    CHECK(run_until(bus.loop, [&] { return bus.agent.connections() == 0; }));
    CHECK(bus.agent.connect());
}
