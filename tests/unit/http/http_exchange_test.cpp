#include "supervisor/http/http_exchange.hpp"

#include "tests/support/contains.hpp"
#include "tests/support/fake_http_server.hpp"
#include "tests/support/run_until.hpp"

#include <memory>

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

/// What has been told of one exchange.
struct Told {
    int status = 0;
    std::string type;
    std::string body;
    std::string trouble;
    int ends = 0;
    std::unique_ptr<HttpExchange> exchange;

    bool has(const std::string& words) const { return trouble.find(words) != std::string::npos; }
};

struct Exchanging {
    EventLoop loop = make_loop();
    FakeHttpServer server{loop};

    std::unique_ptr<Told> begin(const HttpCall& call = {}, Duration limit = 1h,
                                bool is_bounded = true) {
        return begin_at(server.url("/of/the/url"), call, limit, is_bounded);
    }
    std::unique_ptr<Told> begin_at(const HttpUrl& url, const HttpCall& call, Duration limit,
                                   bool is_bounded) {
        auto made = std::make_unique<Told>();
        Told& told = *made;
        told.exchange = std::make_unique<HttpExchange>(
            loop, url, call, limit, is_bounded,
            HttpExchange::Callbacks{
                .head =
                    [&told](int status, const std::string& type) {
                        told.status = status;
                        told.type = type;
                    },
                .piece = [&told](std::string_view piece) { told.body += piece; },
                .end =
                    [&told](const std::string& trouble) {
                        ++told.ends;
                        told.trouble = trouble;
                    }});
        return made;
    }
    /// The text of the request that comes next.
    std::string head() {
        const std::size_t before = server.requests.size();
        REQUIRE(run_until(loop, [&] { return server.requests.size() > before; }));
        return server.requests.back().head;
    }
    void wait_for_end(const Told& told) {
        REQUIRE(run_until(loop, [&] { return told.ends > 0; }));
        CHECK(told.exchange->is_over());
        settle(loop);
        CHECK(told.ends == 1);
    }
};

} // namespace

TEST_CASE("a request says all that the server needs to know") {
    Exchanging exchanging;
    SUBCASE("a POST") {
        const auto told = exchanging.begin(
            {.method = "POST", .path = {}, .body = "{\"a\":1}", .token = "secret"});
        const std::string head = exchanging.head();
        CHECK(head.starts_with("POST /of/the/url HTTP/1.1\r\n"));
        CHECK(contains(head, "\r\nHost: " + exchanging.server.name() + "\r\n"));
        CHECK(contains(head, "\r\nContent-Type: application/json\r\n"));
        CHECK(contains(head, "\r\nContent-Length: 7\r\n"));
        CHECK(contains(head, "\r\nAuthorization: Bearer secret\r\n"));
        CHECK(contains(head, "\r\nConnection: close\r\n"));
        CHECK(exchanging.server.requests[0].body == "{\"a\":1}");
    }
    SUBCASE("a GET, at a path of its own") {
        const auto told = exchanging.begin({.method = "GET", .path = "/other"});
        const std::string head = exchanging.head();
        CHECK(head.starts_with("GET /other HTTP/1.1\r\n"));
        CHECK(contains(head, "\r\nAccept: text/event-stream\r\n"));
        CHECK_FALSE(contains(head, "Content-Length"));
        CHECK_FALSE(contains(head, "Authorization"));
    }
}

TEST_CASE("a response is handed on, however its length is told") {
    Exchanging exchanging;
    const auto told = exchanging.begin();
    exchanging.head();
    FakeHttpServer& server = exchanging.server;
    SUBCASE("by a number") {
        server.answer(0, 200, "the body", "Text/Plain; charset=utf-8");
    }
    SUBCASE("in chunks") {
        server.send(0, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n4\r\nthe \r\n4\r\nbody\r\n0\r\n\r\n");
    }
    SUBCASE("by its end") {
        server.send(0, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nthe body");
        REQUIRE(run_until(exchanging.loop, [&] { return told->body == "the body"; }));
        CHECK(told->ends == 0);
        server.hang_up(0);
    }
    exchanging.wait_for_end(*told);
    CHECK(told->trouble.empty());
    CHECK(told->status == 200);
    CHECK(told->type == "text/plain");
    CHECK(told->body == "the body");
}

TEST_CASE("what prevents a whole response is told") {
    Exchanging exchanging;
    FakeHttpServer& server = exchanging.server;
    SUBCASE("nobody listens") {
        server.stop_listening();
        const auto told = exchanging.begin();
        exchanging.wait_for_end(*told);
        CHECK(told->has("cannot connect to " + server.name() + ": Connection refused"));
        CHECK_FALSE(told->exchange->was_sent());
    }
    SUBCASE("there can be no such connection") {
        HttpUrl url = server.url();
        url.endpoint.address.ss_family = AF_MAX;
        const auto told = exchanging.begin_at(url, {}, 1h, true);
        CHECK(told->ends == 0); // not from within the constructor
        exchanging.wait_for_end(*told);
        CHECK(told->has(server.name()));
    }
    SUBCASE("the server closes without a response") {
        const auto told = exchanging.begin();
        exchanging.head();
        server.hang_up(0);
        exchanging.wait_for_end(*told);
        CHECK(told->has("closed the connection without a response"));
        CHECK(told->exchange->was_sent());
    }
    SUBCASE("the server closes within the response") {
        const auto told = exchanging.begin();
        exchanging.head();
        server.send(0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        REQUIRE(run_until(exchanging.loop, [&] { return told->body == "half"; }));
        server.hang_up(0);
        exchanging.wait_for_end(*told);
        CHECK(told->has("closed the connection within its response"));
    }
    SUBCASE("it is no response") {
        const auto told = exchanging.begin();
        exchanging.head();
        server.send(0, "SSH-2.0-OpenSSH_9.2\r\n");
        exchanging.wait_for_end(*told);
        CHECK(told->has("does not speak HTTP/1.1"));
    }
}

TEST_CASE("a response that does not come, or to its end, has a limit") {
    Exchanging exchanging;
    SUBCASE("nothing comes") {
        const auto told = exchanging.begin({}, 20ms);
        exchanging.wait_for_end(*told);
        CHECK(told->has("does not answer within 20 ms"));
    }
    SUBCASE("it begins, and does not end") {
        const auto told = exchanging.begin({}, 500ms);
        exchanging.head();
        exchanging.server.send(0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        exchanging.wait_for_end(*told);
        CHECK(told->body == "half");
        CHECK(told->has("does not answer within"));
    }
}

TEST_CASE("a response without bounds may go on for longer than its head may take") {
    Exchanging exchanging;
    const auto stream = exchanging.begin({}, 300ms, false);
    exchanging.head();
    exchanging.server.send(0, "HTTP/1.1 200 OK\r\n\r\n");
    REQUIRE(run_until(exchanging.loop, [&] { return stream->status == 200; }));
    // Once this one is given up, the limit of the first is over as well.
    const auto later = exchanging.begin({}, 300ms, false);
    exchanging.wait_for_end(*later);
    CHECK(stream->ends == 0);
    exchanging.server.send(0, "more");
    CHECK(run_until(exchanging.loop, [&] { return stream->body == "more"; }));
}

TEST_CASE("of one that was given up nothing more is told") {
    Exchanging exchanging;
    const auto told = exchanging.begin();
    exchanging.head();
    SUBCASE("cancelled") {
        told->exchange->cancel();
        CHECK(told->exchange->is_over());
    }
    SUBCASE("destroyed") {
        told->exchange.reset();
    }
    CHECK(run_until(exchanging.loop, [&] { return exchanging.server.ended == 1; }));
    CHECK(told->ends == 0);
}

TEST_CASE("it is known whether the server may have the whole request") {
    Exchanging exchanging;
    exchanging.server.is_deaf = true;
    const auto told = exchanging.begin(
        {.method = "POST", .path = {}, .body = std::string(32 * 1024 * 1024, 'x')});
    CHECK_FALSE(told->exchange->was_sent());
    REQUIRE(run_until(exchanging.loop, [&] { return exchanging.server.accepted == 1; }));
    SUBCASE("one that answers before it has read it is heard") {
        exchanging.server.answer(0, 413, "too much");
        exchanging.wait_for_end(*told);
        CHECK(told->status == 413);
        CHECK(told->body == "too much");
    }
    SUBCASE("one that closes has not got it") {
        exchanging.server.hang_up(0);
        exchanging.wait_for_end(*told);
        CHECK_FALSE(told->trouble.empty());
    }
    CHECK_FALSE(told->exchange->was_sent());
}
