#include "supervisor/broker/publish_listener.hpp"

#include "supervisor/agent/base64.hpp"
#include "supervisor/agent/public_key.hpp"
#include "supervisor/broker/envelope.hpp"
#include "supervisor/broker/text_forms.hpp"
#include "tests/support/any_port.hpp"
#include "tests/support/far_end.hpp"
#include "tests/unit/broker/hosted.hpp"

#include <cstring>

#include <fmt/format.h>

using namespace livesock;
using nlohmann::json;

namespace {

struct Answer {
    int status = 0;
    json body;

    std::string code() const {
        return body.contains("error") ? body["error"]["code"].get<std::string>() : std::string();
    }
};

struct Published : Hosted {
    HttpServer server{loop};
    std::string path = temp.entry("guest.sock");
    BrokerListenSettings listen{.address = "unix:" + path, .token_file = {}, .guest = guest};
    std::vector<std::unique_ptr<PublishListener>> former; // they may have connections
    std::unique_ptr<PublishListener> listener;

    Published() { open(); }
    void open() {
        if (listener) {
            static_cast<void>(listener->retire());
            former.push_back(std::move(listener));
        }
        Result<UniqueFd> fd = livesock::listen_at(path);
        REQUIRE(fd);
        listener = std::make_unique<PublishListener>(server, *host, listen, std::move(*fd));
    }

    static std::string text_of(const std::string& body, const std::string& target = "/v1/publish",
                               const std::string& method = "POST",
                               const std::string& headers = {}) {
        return method + ' ' + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
               (method == "POST" ? "Content-Length: " + std::to_string(body.size()) + "\r\n" : "") +
               "\r\n" + body;
    }
    /// The answer to `bytes`, which are sent as fast as they are taken.
    Answer exchange(FarEnd& client, const std::string& bytes) {
        std::size_t sent = 0;
        std::string all;
        std::size_t end = std::string::npos;
        std::size_t length = 0;
        REQUIRE(run_until(loop, [&] {
            sent += client.send(std::string_view(bytes).substr(sent));
            all += client.take();
            end = all.find("\r\n\r\n");
            const std::size_t field = all.find("Content-Length: ");
            if (end == std::string::npos || field == std::string::npos)
                return false;
            length = std::stoul(all.substr(field + 16));
            return all.size() >= end + 4 + length;
        }));
        return {std::stoi(all.substr(9, 3)), json::parse(all.substr(end + 4, length))};
    }
    Answer send(const std::string& bytes) {
        FarEnd client(path);
        return exchange(client, bytes);
    }
    Answer post(const json& body) { return send(text_of(body.dump())); }
    static json request(const json& payload) {
        return {{"namespace", "ssh-agent"}, {"type", "request"}, {"payload", payload}};
    }
};

const json ping{{"operation", "ping"}};
const json ok{{"status", "ok"}};

/// A guest whose signature a person is asked about, and says nothing.
FarEnd ask_somebody(Published& published) {
    published.listen.guest.approve = Approval::always;
    published.ask_with("exec sleep 1000");
    published.open();
    FarEnd client(published.path);
    client.send(
        Published::text_of(Published::request({{"operation", "sign"},
                                               {"public_key", to_base64(published.alice.blob)},
                                               {"data", "eA=="}})
                               .dump()));
    REQUIRE(run_until(published.loop, [&] { return published.children.count() == 1; }));
    return client;
}

} // namespace

TEST_CASE("an address is a path, a TCP port or a vsock port") {
    const auto parsed = [](const std::string& text) {
        const Result<ListenAddress> address = parse_broker_address(text);
        REQUIRE(address);
        return address->is_unix() ? address->path : address->endpoint.text;
    };
    CHECK(parsed("unix:/home/ann/s") == "/home/ann/s");
    CHECK(parsed("tcp:127.0.0.1:498") == "127.0.0.1:498");
    CHECK(parsed("tcp:[::1]:498") == "[::1]:498");
    CHECK(parsed("vsock:498") == "vsock:any:498");
    for (const char* wrong : {"", "/s", "unix:", "unix:s", "tcp:", "tcp:498", "tcp:example.org:498",
                              "tcp:127.0.0.1:0", "tcp:unix:/s", "tcp:127.0.0.1:65536", "vsock:",
                              "vsock:0", "vsock:2:498", "vsock:any", "udp:127.0.0.1:498"}) {
        CAPTURE(wrong);
        CHECK(!parse_broker_address(wrong));
    }
}

TEST_CASE("a request is answered with an envelope that the bus would have made") {
    Published published;
    const Answer answer = published.post(Published::request(ping));
    CHECK(answer.status == 200);
    CHECK(answer.body["namespace"] == "ssh-agent");
    CHECK(answer.body["type"] == "response");
    CHECK(answer.body["final"] == true);
    CHECK(is_message_id(answer.body["id"].get<std::string>()));
    CHECK(is_message_id(answer.body["in_reply_to"].get<std::string>()));
    CHECK(answer.body["id"] != answer.body["in_reply_to"]);
    CHECK(is_rfc3339_utc(answer.body["timestamp"].get<std::string>()));
    CHECK(answer.body["payload"] == ok);
    CHECK_FALSE(answer.body.contains("shed"));
}

TEST_CASE("what is not known is passed over, and what is no operation is an error of its own") {
    Published published;
    json request = Published::request(ping);
    request["more"] = {1, 2};
    request["payload"]["more"] = {{"x", nullptr}};
    CHECK(published.post(request).body["payload"] == ok);
    const Answer answer = published.post(Published::request({{"operation", "add"}}));
    CHECK(answer.status == 200);
    CHECK(answer.body["payload"]["code"] == "INTERNAL_ERROR");
}

TEST_CASE("what is no message for us is refused with the code of the format") {
    Published published;
    const json good = Published::request(ping);
    json wrong = good;
    SUBCASE("no JSON") {
        CHECK(published.send(Published::text_of("{")).code() == "INVALID_BODY");
    }
    SUBCASE("no body") {
        CHECK(published.send(Published::text_of("")).code() == "INVALID_BODY");
    }
    SUBCASE("invalid UTF-8") {
        CHECK(published.send(Published::text_of("{\"namespace\":\"\xff\"}")).code() ==
              "INVALID_BODY");
    }
    SUBCASE("no payload") {
        wrong.erase("payload");
        CHECK(published.post(wrong).code() == "INVALID_BODY");
    }
    SUBCASE("no namespace") {
        wrong.erase("namespace");
        CHECK(published.post(wrong).code() == "MISSING_NAMESPACE");
    }
    SUBCASE("a response") {
        wrong["type"] = "response";
        CHECK(published.post(wrong).code() == "INVALID_TYPE");
    }
    SUBCASE("a namespace that nobody serves") {
        wrong["namespace"] = "files";
        const Answer answer = published.post(wrong);
        CHECK(answer.status == 503);
        CHECK(answer.code() == "NO_CONNECTION");
    }
    SUBCASE("an event") {
        wrong["type"] = "event";
        CHECK(published.post(wrong).status == 202);
    }
    SUBCASE("another path") {
        CHECK(published.send(Published::text_of("{}", "/v1/other")).status == 404);
    }
    SUBCASE("another method") {
        CHECK(published.send(Published::text_of("", "/v1/publish", "GET")).status == 405);
    }
    SUBCASE("a request of a web page, whatever its Host") {
        CHECK(published.send(Published::text_of("{}", "/v1/publish", "POST", "Origin: x\r\n"))
                  .code() == "FORBIDDEN");
    }
    CHECK(published.listener->is_quiet());
    CHECK(published.post(good).body["payload"] == ok);
}

TEST_CASE("at a path a guest calls us what it likes: its port may be forwarded to here") {
    Published published;
    const std::string body = Published::request(ping).dump();
    for (const char* const host : {"127.0.0.1:498", "10.0.2.2", "host.example:80", ""}) {
        CAPTURE(host);
        std::string text = Published::text_of(body);
        text.replace(text.find("localhost"), std::strlen("localhost"), host);
        CHECK(published.send(text).body["payload"] == ok);
    }
}

TEST_CASE("over TCP the Host is the address or a configured name: any page has others") {
    Published published;
    const auto code_at = [&](const std::vector<std::string>& hosts) {
        AnyPort port;
        BrokerListenSettings settings = published.listen;
        settings.address = "tcp:" + port.text();
        settings.hosts = hosts;
        PublishListener listener(published.server, *published.host, settings,
                                 std::move(port.listener));
        FarEnd client(connect_to_port(port.port, "127.0.0.1"));
        std::string text = Published::text_of(Published::request(ping).dump());
        text.replace(text.find("localhost"), std::strlen("localhost"), "10.0.2.2:498");
        const Answer answer = published.exchange(client, text);
        static_cast<void>(listener.retire());
        client.close();
        settle(published.loop);
        return answer.code();
    };
    CHECK(code_at({}) == "FORBIDDEN");
    CHECK(code_at({"10.0.2.2"}) == "FORBIDDEN");
    CHECK(code_at({"10.0.2.2:498"}).empty());
}

TEST_CASE("a message may be of the largest size, and not of a byte more") {
    Published published;
    json request = Published::request(ping);
    request["x"] = "";
    request["x"] = std::string(largest_envelope - request.dump().size(), 'x');
    REQUIRE(request.dump().size() == largest_envelope);
    CHECK(published.post(request).body["payload"] == ok);
    request["x"] = request["x"].get<std::string>() + 'x';
    SUBCASE("its length is told") {}
    SUBCASE("it comes in chunks") {
        const std::string body = request.dump();
        const Answer answer = published.send(
            "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
            fmt::format("{:x}\r\n", body.size()) + body + "\r\n0\r\n\r\n");
        CHECK(answer.status == 400);
        CHECK(answer.code() == "INVALID_BODY");
    }
    const Answer answer = published.post(request);
    CHECK(answer.status == 400);
    CHECK(answer.code() == "INVALID_BODY");
    CHECK(published.listener->is_quiet());
}

TEST_CASE("large bodies have a rate, whatever becomes of them, and small ones go on") {
    Published published;
    FarEnd client(published.path);
    const std::string large =
        Published::text_of("{}" + std::string(largest_small_publication - 1, ' '));
    for (std::size_t i = 0; i < most_large_publications; ++i)
        CHECK(published.exchange(client, large).code() == "MISSING_NAMESPACE");
    // Some more have come to be allowed meanwhile.
    Answer answer;
    for (std::size_t i = 0; i < most_large_publications && answer.status != 503; ++i)
        answer = published.send(large);
    CHECK(answer.status == 503);
    CHECK(answer.code() == "NO_CONNECTION");
    CHECK(published.send(Published::text_of("{}" + std::string(largest_small_publication - 2, ' ')))
              .code() == "MISSING_NAMESPACE");
}

TEST_CASE("what is no HTTP at all is refused in the words of the format too") {
    Published published;
    const Answer answer = published.send("POST /v1/publish HTTP/1.1\r\nBroken header\r\n\r\n");
    CHECK(answer.status == 400);
    CHECK(answer.code() == "INVALID_BODY");
}

TEST_CASE("at a path a guest has all keys, else those that are named") {
    Published published;
    const json list = Published::request({{"operation", "list"}});
    CHECK(published.post(list).body["payload"]["keys"].size() == 2);
    published.listen.guest.keys = {fingerprint(published.alice.blob)};
    published.open();
    CHECK(published.post(list).body["payload"]["keys"].size() == 1);
}

TEST_CASE("over vsock nobody gets in without a token, this user included") {
    Published published;
    const std::string token = "lsk_" + std::string(43, 't');
    published.listen.address = "vsock:498";
    published.listen.token_file = published.temp.entry("tokens");
    const Result<std::string> added = ClientTokens(published.listen.token_file).add("vm");
    REQUIRE(added);
    published.open();
    const std::string body = Published::request(ping).dump();
    CHECK(published.send(Published::text_of(body)).code() == "UNAUTHORIZED");
    const auto with = [&](const std::string& shown) {
        return published.send(Published::text_of(body, "/v1/publish", "POST",
                                                 "Authorization: Bearer " + shown + "\r\n"));
    };
    CHECK(with(token).code() == "UNAUTHORIZED");
    CHECK(with(*added).body["payload"] == ok);
    // Whoever has it may be anybody: there are no keys that were not named.
    CHECK(published
              .send(Published::text_of(Published::request({{"operation", "list"}}).dump(),
                                       "/v1/publish", "POST",
                                       "Authorization: Bearer " + *added + "\r\n"))
              .body["payload"]
              .contains("error"));
}

TEST_CASE("bodies that do not end have a limit, and room again when their guests leave") {
    Published published;
    std::vector<FarEnd> clients;
    const std::string half = Published::text_of(std::string(100, 'x')).substr(0, 120);
    for (std::size_t i = 0; i < most_publications; ++i) {
        clients.emplace_back(published.path);
        clients.back().send(half);
    }
    settle(published.loop);
    const Answer answer = published.post(Published::request(ping));
    CHECK(answer.status == 503);
    CHECK(answer.code() == "NO_CONNECTION");
    clients.clear();
    REQUIRE(run_until(published.loop, [&] { return published.listener->is_quiet(); }));
    CHECK(published.post(Published::request(ping)).body["payload"] == ok);
}

TEST_CASE("a guest that leaves has nothing signed behind its back") {
    Published published;
    FarEnd client = ask_somebody(published);
    CHECK_FALSE(published.listener->is_quiet());
    client.close();
    CHECK(run_until(published.loop, [&] { return published.children.count() == 0; }));
    CHECK(published.listener->is_quiet());
    CHECK(run_until(published.loop, [&] { return published.host->jobs() == 0; }));
}

TEST_CASE("a listener that is retired answers what is under way, and begins nothing") {
    Published published;
    published.agent.is_silent = true;
    const json list = Published::request({{"operation", "list"}});
    FarEnd waiting(published.path);
    waiting.send(Published::text_of(list.dump()));
    REQUIRE(run_until(published.loop, [&] { return published.agent.requests.size() == 1; }));
    // This one has sent half of its request.
    FarEnd late(published.path);
    const std::string text = Published::text_of(list.dump());
    late.send(text.substr(0, 20));
    settle(published.loop);
    const UniqueFd socket = published.listener->retire();
    CHECK(socket);
    CHECK_FALSE(published.listener->is_quiet());
    const Answer refused = published.exchange(late, text.substr(20));
    CHECK(refused.status == 503);
    CHECK(refused.code() == "SHUTTING_DOWN");
    published.agent.send(0, identities_answer(published.agent.keys));
    CHECK(published.exchange(waiting, "").body["payload"]["keys"].size() == 2);
    CHECK(published.listener->is_quiet());
}

TEST_CASE("what was let in by rules that are no more is refused when it is complete") {
    for (const bool is_outdated : {false, true}) {
        Published published;
        FarEnd late(published.path);
        const std::string text =
            Published::text_of(Published::request({{"operation", "list"}}).dump());
        late.send(text.substr(0, text.size() - 5));
        settle(published.loop);
        if (is_outdated)
            published.listener->outdate();
        static_cast<void>(published.listener->retire());
        const Answer answer = published.exchange(late, text.substr(text.size() - 5));
        CHECK(answer.status == (is_outdated ? 503 : 200));
    }
}

TEST_CASE("a listener that is destroyed has nobody asked for it any more") {
    Published published;
    FarEnd client = ask_somebody(published);
    static_cast<void>(published.listener->retire());
    published.listener.reset();
    CHECK(run_until(published.loop, [&] { return published.host->jobs() == 0; }));
}
