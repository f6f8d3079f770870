#include "supervisor/broker/payload.hpp"

#include "supervisor/agent/base64.hpp"
#include "supervisor/agent/wire.hpp"
#include "supervisor/broker/text_forms.hpp"
#include "tests/support/fake_agent.hpp"

#include <cerrno>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace livesock;
using nlohmann::json;

namespace {

const std::string blob = make_blob('k');

json sign() {
    return {
        {"operation", "sign"}, {"public_key", to_base64(blob)}, {"data", "ZGF0YQ=="}, {"flags", 4}};
}

} // namespace

TEST_CASE("requests are read as they are written") {
    const GuestRequest request{
        .operation = Operation::sign, .key = blob, .data = "data", .flags = 4};
    CHECK(json::parse(to_payload(request)) == sign());
    const Result<GuestRequest> read = parse_request(to_payload(request));
    REQUIRE(read);
    CHECK(read->operation == Operation::sign);
    CHECK(read->key == blob);
    CHECK(read->data == "data");
    CHECK(read->flags == 4);
    for (const Operation operation : {Operation::list, Operation::ping, Operation::status})
        CHECK(parse_request(to_payload({.operation = operation}))->operation == operation);
}

TEST_CASE("a sign request may leave out its flags, and name its key by a line") {
    json request = sign();
    request.erase("flags");
    CHECK(parse_request(request.dump())->flags == 0);
    request["public_key"] = "ssh-ed25519 " + to_base64(blob) + " me@desk";
    CHECK(parse_request(request.dump())->key == blob);
    request["flags"] = 4294967295U;
    CHECK(parse_request(request.dump())->flags == 4294967295U);
}

TEST_CASE("what is no request is refused") {
    CHECK(!parse_request("[]"));
    CHECK(!parse_request("{}"));
    CHECK(!parse_request(R"({"operation":"add"})"));
    CHECK(!parse_request(R"({"operation":["sign"]})"));
    for (const auto& change : std::vector<std::pair<const char*, json>>{
             {"public_key", "x"},
             {"public_key", nullptr},
             {"data", "x"},
             {"data", 7},
             {"flags", -1},
             {"flags", 1.5},
             {"flags", "4"},
             {"flags", 4294967296},
             {"flags", true},
             {"data", to_base64(std::string(longest_message, 'x'))}}) {
        json request = sign();
        request[change.first] = change.second;
        CAPTURE(change.first);
        CHECK(!parse_request(request.dump()));
    }
}

TEST_CASE("a list is read as it is written, comments included") {
    const std::vector<Identity> keys{{blob, "me@désk \n\"x\""}, {make_blob('l'), ""}};
    const auto read = parse_list_answer(list_payload(keys));
    REQUIRE(read);
    REQUIRE(read->size() == 2);
    CHECK((*read)[0].blob == blob);
    CHECK((*read)[0].comment == keys[0].comment);
    CHECK(json::parse(list_payload(keys))["keys"][0]["format"] == "ssh-ed25519");
    CHECK(parse_list_answer(list_payload({}))->empty());
    const std::vector<Identity> broken{{blob, "\xff"}};
    CHECK((*parse_list_answer(list_payload(broken)))[0].comment == "\xEF\xBF\xBD");
}

TEST_CASE("a list that is none is refused") {
    for (const char* wrong : {"{}", "[]", R"({"keys":{}})", R"({"keys":[7]})", R"({"keys":[{}]})",
                              R"({"keys":[{"blob":"YQ=="}]})", R"({"keys":[{"blob":"!"}]})"})
        CHECK(parse_list_answer(wrong).error().code == EBADMSG);
    const json wrong_format = {{"keys", {{{"format", "ssh-rsa"}, {"blob", to_base64(blob)}}}}};
    CHECK(!parse_list_answer(wrong_format.dump()));
    json many = {{"keys", json::array()}};
    for (std::size_t i = 0; i < most_identities; ++i)
        many["keys"].push_back({{"blob", to_base64(blob)}});
    CHECK(parse_list_answer(many.dump()));
    many["keys"].push_back({{"blob", to_base64(blob)}});
    CHECK(!parse_list_answer(many.dump()));
    const std::vector<Identity> long_one{{blob, std::string(longest_message, 'c')}};
    CHECK(!parse_list_answer(list_payload(long_one)));
}

TEST_CASE("what is no key is left out of a list") {
    const std::vector<Identity> keys{
        {WireWriter().string("su\t\xac").bytes(), "garbage"}, {"", "empty"}, {blob, "good"}};
    const auto read = parse_list_answer(list_payload(keys));
    REQUIRE(read);
    REQUIRE(read->size() == 1);
    CHECK((*read)[0].comment == "good");
    const json garbage = {{"keys", {{{"blob", to_base64(keys[0].blob)}}}}};
    CHECK(!parse_list_answer(garbage.dump()));
}

TEST_CASE("a signature survives the trip, with what stands behind it") {
    const std::string sk = WireWriter().string("sk-ssh-ed25519@openssh.com").string("sig").bytes() +
                           std::string("\x01\0\0\0\x2a", 5);
    const auto parts = split(sk);
    REQUIRE(parts);
    CHECK(parts->rest.size() == 5);
    const Result<Signature> read = parse_sign_answer(sign_payload(*parts));
    REQUIRE(read);
    CHECK(join(*read) == sk);
    CHECK(parse_sign_answer(R"({"format":"a","blob":"YQ=="})")->rest.empty());
}

TEST_CASE("a signature that is none is refused") {
    CHECK(!split(""));
    CHECK(!split(WireWriter().string("").string("x").bytes()));
    CHECK(!split(WireWriter().string("a").uint32(7).bytes()));
    for (const char* wrong :
         {"{}", R"({"format":"","blob":"YQ=="})", R"({"format":"a","blob":""})",
          R"({"format":"a"})", R"({"blob":"YQ=="})", R"({"format":"a","blob":"YQ==","rest":"!"})",
          R"({"format":"a","blob":"YQ==","rest":null})"}) {
        CAPTURE(wrong);
        CHECK(parse_sign_answer(wrong).error().code == EBADMSG);
    }
}

TEST_CASE("an error of the host is told as one, made safe to show") {
    const Result<void> failed = parse_ping_answer(error_payload(sign_failed, "no\n\x1b[31m"));
    REQUIRE(!failed);
    CHECK(failed.error().code == EREMOTEIO);
    CHECK(failed.error().message.find("SIGN_FAILED") != std::string::npos);
    CHECK(failed.error().message.find('\x1b') == std::string::npos);
    CHECK(failed.error().message.find('\n') == std::string::npos);
    CHECK(parse_ping_answer(ping_payload()));
    CHECK(!parse_ping_answer(R"({"status":"bad"})"));
    CHECK(json::parse(status_payload(true, 2)) ==
          json{{"connected", true}, {"mode", "local-keys"}, {"key_count", 2}});
}
