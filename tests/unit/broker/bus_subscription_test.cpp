#include "supervisor/broker/bus_subscription.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/broker/text_forms.hpp"
#include "tests/support/fake_http_server.hpp"
#include "tests/unit/broker/hosted.hpp"

using namespace livesock;
using nlohmann::json;

namespace {

const std::string stream_head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

std::string first_line(const FakeHttpServer::Request& request) {
    return request.head.substr(0, request.head.find("\r\n"));
}

/// A subscription at a server that the test plays: of it, the first connection is the stream.
struct Subscribed : Hosted {
    FakeHttpServer server{loop};
    std::size_t stream = 0;     ///< the connection that was subscribed with last
    std::size_t subscribed = 0; ///< how often it was asked to
    bool takes_answers = true;  ///< else they wait
    std::vector<json> answers;  ///< that were posted
    BusSubscription::Guests guests{{}, {.name = "bus", .keys = {}}};
    std::unique_ptr<BusSubscription> subscription;

    explicit Subscribed(const std::string& head = stream_head) {
        guests.others.keys = {fingerprint(alice.blob)};
        guests.named.push_back({.name = "vm2", .keys = {fingerprint(bob.blob)}});
        server.on_request = [this, head](const FakeHttpServer::Request& request) {
            if (request.head.starts_with("GET ")) {
                ++subscribed;
                stream = request.connection;
                server.send(stream, head);
                return;
            }
            answers.push_back(json::parse(request.body));
            if (takes_answers)
                server.send(request.connection, "HTTP/1.1 204 No Content\r\n\r\n");
        };
        subscribe("/below/");
    }
    void subscribe(const std::string& path) {
        subscription = std::make_unique<BusSubscription>(loop, *host, server.url(path),
                                                         std::vector<uid_t>(), guests);
    }
    void connect() {
        REQUIRE(run_until(loop, [&] { return subscription->is_connected(); }));
    }
    static json request(const json& payload) {
        return {{"id", new_message_id(std::chrono::system_clock::now())},
                {"namespace", "ssh-agent"},
                {"type", "request"},
                {"final", true},
                {"timestamp", "2026-01-31T12:00:00Z"},
                {"payload", payload}};
    }
    void send(const std::string& data) {
        server.send(stream, "event: message\ndata: " + data + "\n\n");
    }
    void send(const json& message) { send(message.dump()); }
    /// What is answered next.
    json next_answer() {
        const std::size_t before = answers.size();
        REQUIRE(run_until(loop, [&] { return answers.size() > before; }));
        return answers.back();
    }
    json answer_to(const json& message) {
        send(message);
        const json answer = next_answer();
        CHECK(answer["in_reply_to"] == message["id"]);
        return answer;
    }
    /// Whether nothing but the answer to a ping that follows comes.
    void check_passed_over(const std::string& bytes) {
        const std::size_t before = answers.size();
        server.send(stream, bytes);
        CHECK(answer_to(request(ping))["payload"] == ok);
        settle(loop);
        CHECK(answers.size() == before + 1);
    }

    static inline const json ping{{"operation", "ping"}};
    static inline const json list{{"operation", "list"}};
    static inline const json ok{{"status", "ok"}};
};

} // namespace

TEST_CASE("a bus is subscribed to below its path, and answers go there") {
    Subscribed bus;
    CHECK_FALSE(bus.subscription->is_connected());
    CHECK_FALSE(bus.subscription->trouble().empty());
    bus.connect();
    CHECK(bus.subscription->trouble().empty());
    CHECK(first_line(bus.server.requests[0]) ==
          "GET /below/api/plugins/listeners/ssh-agent/messages HTTP/1.1");
    bus.answer_to(Subscribed::request(Subscribed::ping));
    CHECK(first_line(bus.server.requests[1]) ==
          "POST /below/api/plugins/listeners/ssh-agent/respond HTTP/1.1");
}

TEST_CASE("a request is answered with its id, its sender and a new id") {
    Subscribed bus;
    bus.connect();
    json request = Subscribed::request(Subscribed::list);
    request["shed"] = {{"name", "vm"}, {"backend", "b"}, {"server", "s"}, {"new", {1}}};
    request["more"] = json::array();
    const json answer = bus.answer_to(request);
    CHECK(answer["shed"] == request["shed"]);
    CHECK(answer["type"] == "response");
    CHECK(answer["final"] == true);
    CHECK(answer["id"] != request["id"]);
    CHECK(is_message_id(answer["id"].get<std::string>()));
    CHECK(answer["payload"]["keys"].size() == 1);
    CHECK_FALSE(bus.answer_to(Subscribed::request(Subscribed::list)).contains("shed"));
}

TEST_CASE("who a guest is decides which keys it has") {
    Subscribed bus;
    bus.connect();
    const auto comment = [&](const json& shed) {
        json request = Subscribed::request(Subscribed::list);
        request["shed"] = shed;
        return bus.answer_to(request)["payload"]["keys"][0]["comment"].get<std::string>();
    };
    CHECK(comment({{"name", "vm2"}}) == "bob");
    CHECK(comment({{"name", "vm3"}}) == "alice");
    CHECK(comment({{"name", ""}}) == "alice");
    CHECK(comment(nullptr) == "alice");
}

TEST_CASE("guests of a bus get nothing before keys are named") {
    Subscribed bus;
    bus.guests.others.keys.clear();
    bus.subscribe("/");
    bus.connect();
    CHECK(bus.answer_to(Subscribed::request(Subscribed::list))["payload"].contains("error"));
    CHECK(bus.agent.requests.empty());
}

TEST_CASE("a request that is wrong has an error, if it can be told whose it is") {
    Subscribed bus;
    bus.connect();
    json request = Subscribed::request(Subscribed::ping);
    SUBCASE("in parts") {
        request["final"] = false;
    }
    SUBCASE("an operation that is none") {
        request["payload"] = {{"operation", "add"}};
    }
    SUBCASE("no payload") {
        request.erase("payload");
    }
    SUBCASE("no time") {
        request["timestamp"] = "now";
    }
    const json answer = bus.answer_to(request);
    CHECK(answer["payload"]["code"] == "INTERNAL_ERROR");
    CHECK_FALSE(answer["payload"]["error"].get<std::string>().empty());
    CHECK(bus.answer_to(Subscribed::request(Subscribed::ping))["payload"] == Subscribed::ok);
}

TEST_CASE("what is no request is passed over, and what follows is served") {
    Subscribed bus;
    bus.connect();
    json message = Subscribed::request(Subscribed::ping);
    const auto event = [](const std::string& data) { return "data: " + data + "\n\n"; };
    SUBCASE("a comment, other fields and other events") {
        bus.check_passed_over(
            ": alive\n\nid: 7\nretry: 1\nnew: x\n\nevent: other\ndata: " + message.dump() + "\n\n");
    }
    SUBCASE("no JSON") {
        bus.check_passed_over(event("{"));
    }
    SUBCASE("invalid UTF-8") {
        bus.check_passed_over(event("{\"\xff\":1}"));
    }
    SUBCASE("an id that is none") {
        message["id"] = "7";
        bus.check_passed_over(event(message.dump()));
    }
    SUBCASE("another namespace") {
        message["namespace"] = "files";
        bus.check_passed_over(event(message.dump()));
    }
    SUBCASE("an event") {
        message["type"] = "event";
        bus.check_passed_over(event(message.dump()));
    }
    SUBCASE("a response") {
        message["type"] = "response";
        message["in_reply_to"] = new_message_id(std::chrono::system_clock::now());
        bus.check_passed_over(event(message.dump()));
    }
    SUBCASE("a sender whose name is too long") {
        message["shed"] = {{"name", std::string(longest_guest_name + 1, 'x')}};
        bus.check_passed_over(event(message.dump()));
    }
    SUBCASE("a sender of whom too much is said") {
        message["shed"] = {{"name", "vm"}, {"x", std::string(longest_shed, 'x')}};
        bus.check_passed_over(event(message.dump()));
    }
    SUBCASE("one byte more than the largest") {
        message["x"] = "";
        message["x"] = std::string(largest_envelope + 1 - message.dump().size(), 'x');
        bus.check_passed_over(event(message.dump()));
    }
}

TEST_CASE("a request of the largest size is served") {
    Subscribed bus;
    bus.connect();
    json message = Subscribed::request(Subscribed::ping);
    message["x"] = "";
    // The name of the field counts as well.
    message["x"] = std::string(largest_envelope - 6 - message.dump().size(), 'x');
    bus.server.send(bus.stream, "data: " + message.dump() + "\n\n");
    CHECK(bus.next_answer()["payload"] == Subscribed::ok);
}

TEST_CASE("a request that comes again is not served again, also by another stream") {
    Subscribed bus;
    bus.connect();
    const json request = Subscribed::request(Subscribed::ping);
    bus.answer_to(request);
    bus.check_passed_over("data: " + request.dump() + "\n\n");
    bus.server.hang_up(bus.stream);
    REQUIRE(run_until(bus.loop, [&] { return bus.subscribed == 2; }));
    bus.connect();
    bus.check_passed_over("data: " + request.dump() + "\n\n");
}

TEST_CASE("so many ids are remembered, and the oldest forgotten first") {
    Subscribed bus;
    bus.guests.others.rate = 100'000;
    bus.subscribe("/");
    bus.connect();
    const json first = Subscribed::request(Subscribed::ping);
    const json second = Subscribed::request(Subscribed::ping);
    bus.answer_to(first);
    bus.answer_to(second);
    for (std::size_t i = 0; i < most_known_ids - 1; ++i)
        bus.answer_to(Subscribed::request(Subscribed::ping));
    bus.check_passed_over("data: " + second.dump() + "\n\n");
    CHECK(bus.answer_to(first)["payload"] == Subscribed::ok);
}

TEST_CASE("what is no event stream is told, and a reason to try again") {
    std::string words = "and no event stream";
    std::string head;
    SUBCASE("an error") {
        head = "HTTP/1.1 503 X\r\nContent-Type: text/event-stream\r\n\r\n";
        words = "answers 503";
    }
    SUBCASE("a page") {
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
    }
    SUBCASE("another place") {
        head = "HTTP/1.1 302 X\r\nContent-Type: text/event-stream\r\nLocation: /\r\n\r\n";
    }
    SUBCASE("no HTTP") {
        head = "SSH-2.0-OpenSSH\r\n";
        words = "does not speak HTTP/1.1";
    }
    Subscribed bus(head);
    REQUIRE(run_until(bus.loop, [&] { return bus.subscribed == 1; }));
    REQUIRE(run_until(
        bus.loop, [&] { return bus.subscription->trouble().find(words) != std::string::npos; }));
    CHECK_FALSE(bus.subscription->is_connected());
    CHECK(run_until(bus.loop, [&] { return bus.subscribed == 2; }));
}

TEST_CASE("an event stream that ends is subscribed to again, in the middle of an event or not") {
    Subscribed bus;
    bus.connect();
    bus.server.send(bus.stream, "data: {\"id\":");
    settle(bus.loop);
    bus.server.hang_up(bus.stream);
    REQUIRE(run_until(bus.loop, [&] { return !bus.subscription->is_connected(); }));
    CHECK(bus.subscription->trouble().find("is the bus's server running?") != std::string::npos);
    bus.connect();
    CHECK(bus.subscription->trouble().empty());
    CHECK(bus.answer_to(Subscribed::request(Subscribed::ping))["payload"] == Subscribed::ok);
}

TEST_CASE("so many answers are on their way at once, and others wait") {
    Subscribed bus;
    bus.connect();
    bus.takes_answers = false;
    const std::size_t count = most_posts + 4;
    for (std::size_t i = 0; i < count; ++i)
        bus.send(Subscribed::request(Subscribed::ping));
    REQUIRE(run_until(bus.loop, [&] { return bus.answers.size() == most_posts; }));
    settle(bus.loop);
    CHECK(bus.answers.size() == most_posts);
    bus.takes_answers = true;
    for (std::size_t i = 1; i <= most_posts; ++i)
        bus.server.send(bus.server.requests[i].connection, "HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(run_until(bus.loop, [&] { return bus.answers.size() == count; }));
}

TEST_CASE("answers to one guest that wait leave room for those to others") {
    Subscribed bus;
    bus.connect();
    bus.takes_answers = false;
    const std::size_t count = most_posts + most_guest_unposted;
    for (std::size_t i = 0; i < count + 20; ++i)
        bus.send(Subscribed::request(Subscribed::ping));
    json other = Subscribed::request(Subscribed::ping);
    other["shed"] = {{"name", "vm2"}, {"backend", "b"}, {"server", "s"}};
    bus.send(other);
    REQUIRE(run_until(bus.loop, [&] { return bus.answers.size() == most_posts; }));
    settle(bus.loop);
    bus.takes_answers = true;
    for (std::size_t i = 1; i <= most_posts; ++i)
        bus.server.send(bus.server.requests[i].connection, "HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(run_until(bus.loop, [&] { return bus.answers.size() == count + 1; }));
    settle(bus.loop);
    CHECK(bus.answers.size() == count + 1);
    CHECK(bus.answers.back()["in_reply_to"] == other["id"]);
}

TEST_CASE("an answer that the server has read is not posted twice, whatever it says") {
    Subscribed bus;
    bus.connect();
    bus.takes_answers = false;
    bus.send(Subscribed::request(Subscribed::ping));
    REQUIRE(run_until(bus.loop, [&] { return bus.answers.size() == 1; }));
    const std::size_t connection = bus.server.requests.back().connection;
    SUBCASE("an error") {
        bus.server.answer(connection, 500, "");
    }
    SUBCASE("nothing") {
        bus.server.hang_up(connection);
    }
    bus.takes_answers = true;
    CHECK(bus.answer_to(Subscribed::request(Subscribed::ping))["payload"] == Subscribed::ok);
    CHECK(bus.answers.size() == 2);
}

TEST_CASE("a bus that is given up has nothing asked of the host any more") {
    Subscribed bus;
    bus.connect();
    bus.agent.is_silent = true;
    bus.send(Subscribed::request(Subscribed::list));
    REQUIRE(run_until(bus.loop, [&] { return bus.host->jobs() == 1; }));
    bus.subscription.reset();
    CHECK(run_until(bus.loop, [&] { return bus.host->jobs() == 0; }));
    CHECK(run_until(bus.loop, [&] { return bus.server.ended == 1; }));
    CHECK(bus.answers.empty());
}
