#include "supervisor/broker/envelope.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace livesock;
using nlohmann::json;

namespace {

const std::string one = "01234567-89ab-7def-8123-456789abcdef";
const std::string other = "11234567-89ab-7def-8123-456789abcdef";
const auto now = std::chrono::system_clock::now();

json request() {
    return {{"id", one},
            {"namespace", "ssh-agent"},
            {"type", "request"},
            {"final", true},
            {"payload", {{"operation", "ping"}}},
            {"timestamp", "2026-01-31T12:00:00Z"}};
}

json with(const char* name, const json& value) {
    json message = request();
    message[name] = value;
    return message;
}

json without(const char* name) {
    json message = request();
    message.erase(name);
    return message;
}

} // namespace

TEST_CASE("an envelope is read, and what is not known is passed over") {
    json message = request();
    message["more"] = {{"x", json::array()}};
    message["shed"] = {{"name", "vm"}, {"backend", "b"}, {"server", "s"}};
    const Result<Envelope> envelope = parse_envelope(message.dump());
    REQUIRE(envelope);
    CHECK(envelope->id == one);
    CHECK(envelope->type == EnvelopeType::request);
    CHECK(envelope->is_final);
    CHECK(envelope->payload == R"({"operation":"ping"})");
    CHECK(envelope->guest == "vm");
    CHECK(json::parse(envelope->shed) == message["shed"]);
}

TEST_CASE("an envelope that lacks something, or has it wrong, is refused") {
    for (const char* name : {"id", "namespace", "type", "final", "payload", "timestamp"}) {
        CAPTURE(name);
        CHECK(!parse_envelope(without(name).dump()));
        CHECK(!parse_envelope(with(name, nullptr).dump()));
        CHECK(!parse_envelope(with(name, 7).dump()));
    }
    CHECK(!parse_envelope(with("id", "7").dump()));
    CHECK(!parse_envelope(with("namespace", "other").dump()));
    CHECK(!parse_envelope(with("type", "answer").dump()));
    CHECK(!parse_envelope(with("timestamp", "today").dump()));
    CHECK(!parse_envelope(with("shed", "vm").dump()));
    CHECK(!parse_envelope(with("shed", json::object()).dump()));
    CHECK(!parse_envelope(with("shed", {{"name", std::string(129, 'x')}}).dump()));
    CHECK(parse_envelope(with("shed", nullptr).dump()));
}

TEST_CASE("a response says what it replies to") {
    json message = with("type", "response");
    CHECK(!parse_envelope(message.dump()));
    message["in_reply_to"] = "7";
    CHECK(!parse_envelope(message.dump()));
    message["in_reply_to"] = one;
    CHECK(!parse_envelope(message.dump()));
    message["in_reply_to"] = other;
    CHECK(parse_envelope(message.dump())->in_reply_to == other);
}

TEST_CASE("what is no JSON object is refused") {
    const std::string good = request().dump();
    REQUIRE(parse_envelope(good));
    for (const std::string& wrong :
         {std::string(), std::string("{"), std::string("[]"), std::string("7"), good + good,
          good + "x", good.substr(0, good.size() - 1), std::string("\xff\xfe"),
          with("more", "\xC3\x28").dump(-1, ' ', false, json::error_handler_t::ignore) + "\xff",
          std::string(1'000'000, '['), std::string(500'000, '{')}) {
        CHECK(!parse_envelope(wrong));
    }
    std::string invalid = good;
    invalid.replace(invalid.find("ping"), 4, "p\xffng");
    CHECK(!parse_envelope(invalid));
}

TEST_CASE("an envelope has a limit, to the byte, and so has its depth") {
    json message = with("more", "");
    const std::size_t rest = largest_envelope - message.dump().size();
    message["more"] = std::string(rest, 'x');
    CHECK(message.dump().size() == largest_envelope);
    CHECK(parse_envelope(message.dump()));
    message["more"] = std::string(rest + 1, 'x');
    CHECK(!parse_envelope(message.dump()));
    json nested = 1;
    for (int depth = 1; depth < deepest_envelope; ++depth)
        nested = {{"x", nested}};
    CHECK(parse_envelope(with("more", nested).dump()));
    CHECK(!parse_envelope(with("more", {{"x", nested}}).dump()));
    // Brackets in a string are none.
    CHECK(parse_envelope(with("more", std::string(100, '[') + "\\\"").dump()));
}

TEST_CASE("a response has a new id, the request's id and its sender") {
    json message = with("shed", {{"name", "vm"}, {"new", 1}});
    const Envelope asked = *parse_envelope(message.dump());
    const json answer = json::parse(to_json(response_to(asked, R"({"status":"ok"})", now), now));
    CHECK(answer["in_reply_to"] == one);
    CHECK(answer["id"] != one);
    CHECK(answer["shed"] == message["shed"]);
    CHECK(answer["type"] == "response");
    CHECK(answer["final"] == true);
    CHECK(answer["payload"] == json{{"status", "ok"}});
    CHECK(parse_envelope(answer.dump()));
    CHECK(!json::parse(to_json(asked, now)).contains("in_reply_to"));
}

TEST_CASE("who asked can be told of a request that is refused, where it says so") {
    CHECK(salvage_request(without("timestamp").dump())->id == one);
    CHECK(!salvage_request(with("id", "7").dump()));
    CHECK(!salvage_request(with("type", "response").dump()));
    CHECK(!salvage_request("{"));
}

TEST_CASE("what is published is read, or refused with the format's code") {
    const auto code_of = [](const std::string& text) {
        const auto read = parse_publication(text);
        return std::holds_alternative<BusError>(read) ? std::get<BusError>(read).code : "";
    };
    CHECK(code_of(publication_of(R"({"operation":"list"})")).empty());
    CHECK(code_of(R"({"namespace":"x","type":"event","payload":{}})").empty());
    CHECK(code_of("{") == "INVALID_BODY");
    CHECK(code_of(R"({"type":"request","payload":{}})") == "MISSING_NAMESPACE");
    CHECK(code_of(R"({"namespace":7,"type":"request","payload":{}})") == "MISSING_NAMESPACE");
    CHECK(code_of(R"({"namespace":"x","type":"response","payload":{}})") == "INVALID_TYPE");
    CHECK(code_of(R"({"namespace":"x","payload":{}})") == "INVALID_TYPE");
    CHECK(code_of(R"({"namespace":"x","type":"request"})") == "INVALID_BODY");
    CHECK(code_of(std::string(largest_envelope + 1, ' ')) == "INVALID_BODY");
}

TEST_CASE("an error of the bus is read, and a foreign one has no code") {
    const BusError error = parse_bus_error(504, to_json(BusError{504, "TIMEOUT", "a\nb"}));
    CHECK(error.status == 504);
    CHECK(error.code == "TIMEOUT");
    CHECK(error.message == "a\\nb");
    CHECK(parse_bus_error(502, "<html>").code.empty());
    CHECK(parse_bus_error(502, R"({"error":"text"})").code.empty());
}

TEST_CASE("a message of many values is refused before it is read") {
    const auto publication = [](int values) {
        json many = json::array();
        for (int i = 0; i < values; ++i)
            many.push_back(json::object());
        return json{{"namespace", "ssh-agent"},
                    {"type", "request"},
                    {"payload", {{"operation", "list"}, {"x", many}}}}
            .dump();
    };
    CHECK(std::holds_alternative<Publication>(parse_publication(publication(100))));
    const auto refused = parse_publication(publication(200));
    REQUIRE(std::holds_alternative<BusError>(refused));
    CHECK(std::get<BusError>(refused).code == "INVALID_BODY");
    CHECK(std::holds_alternative<Publication>(
        parse_publication(R"({"namespace":"ssh-agent","type":"request","payload":{"operation":")" +
                          std::string(10'000, ',') + R"("}})")));
}
