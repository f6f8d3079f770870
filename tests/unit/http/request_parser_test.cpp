#include "supervisor/http/request_parser.hpp"

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::string_literals;
using Step = RequestParser::Step;

namespace {

/// What a parser makes of bytes that come in pieces of `size`.
struct Parsed {
    std::vector<HttpRequest> heads;
    std::vector<std::string> bodies; // of requests that are complete
    std::string unfinished;
    int error = 0;

    explicit Parsed(std::string_view bytes, std::size_t size = std::string::npos) {
        RequestParser parser;
        while (!bytes.empty() && error == 0) {
            std::string_view piece = bytes.substr(0, size);
            bytes.remove_prefix(piece.size());
            take(parser, piece);
        }
    }

  private:
    void take(RequestParser& parser, std::string_view input) {
        for (;;)
            switch (parser.next(input)) {
            case Step::more:
                CHECK(input.empty());
                return;
            case Step::head:
                heads.push_back(parser.request());
                break;
            case Step::body:
                CHECK_FALSE(parser.piece().empty());
                unfinished += parser.piece();
                break;
            case Step::complete:
                bodies.push_back(std::exchange(unfinished, {}));
                break;
            case Step::malformed:
                error = parser.error().code;
                return;
            }
    }
};

const std::string get = "GET /healthz HTTP/1.1\r\nHost: localhost:7221\r\n\r\n";

std::string post(std::string_view headers, std::string_view body) {
    return "POST /sign?key=a%20b HTTP/1.1\r\nHost: h\r\n" + std::string(headers) + "\r\n\r\n" +
           std::string(body);
}

} // namespace

TEST_CASE("a request without a body is its head alone") {
    for (const std::size_t size : {std::string::npos, std::size_t{1}, std::size_t{7}}) {
        const Parsed parsed(get, size);
        REQUIRE(parsed.heads.size() == 1);
        CHECK(parsed.heads[0].method == "GET");
        CHECK(parsed.heads[0].path == "/healthz");
        CHECK(parsed.heads[0].query.empty());
        CHECK(*parsed.heads[0].header("host") == "localhost:7221");
        CHECK(parsed.bodies == std::vector<std::string>{""});
    }
}

TEST_CASE("a body is as long as Content-Length says") {
    for (const std::size_t size : {std::string::npos, std::size_t{1}, std::size_t{13}}) {
        const Parsed parsed(post("Content-Length: 5", "hello") + get, size);
        REQUIRE(parsed.heads.size() == 2);
        CHECK(parsed.heads[0].path == "/sign");
        CHECK(parsed.heads[0].query == "key=a%20b");
        CHECK(parsed.heads[0].has_body());
        CHECK(parsed.bodies == std::vector<std::string>{"hello", ""});
    }
}

TEST_CASE("a body may come in chunks, with extensions and a trailer that nobody reads") {
    const std::string chunked =
        post("Transfer-Encoding: chunked", "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX: y\r\n\r\n");
    for (const std::size_t size : {std::string::npos, std::size_t{1}, std::size_t{3}}) {
        const Parsed parsed(chunked + get, size);
        CHECK(parsed.bodies == std::vector<std::string>{"hello world", ""});
        CHECK(parsed.error == 0);
    }
    CHECK(Parsed(post("Transfer-Encoding: chunked", "0\r\n\r\n")).bodies ==
          std::vector<std::string>{""});
}

TEST_CASE("the end of a request that is cut is waited for") {
    const std::string whole = post("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n");
    for (std::size_t length = 1; length < whole.size(); ++length) {
        const Parsed parsed(std::string_view(whole).substr(0, length));
        CHECK(parsed.error == 0);
        CHECK(parsed.bodies.empty());
    }
}

TEST_CASE("what two programs could read in two ways is malformed") {
    for (const std::string& bad : {
             std::string("GET / HTTP/1.1\nHost: h\n\n") + get, // no end of the line is its end
             std::string("\r\n") + get,
             std::string("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
             std::string("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"),
             std::string("GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
             std::string("GET /\r\nHost: h\r\n\r\n"),
             std::string("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
             std::string("GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n"),
             std::string("G@T / HTTP/1.1\r\nHost: h\r\n\r\n"),
             std::string("GET / HTTP/1.1\r\n\r\n"), // no Host
             std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
             std::string("GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n"),
             std::string("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"), // folded
             std::string("GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"),
             "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"s,
             std::string("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"),
             post("Content-Length: 5\r\nContent-Length: 5", "hello"),
             post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
             post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
             post("Transfer-Encoding: identity", ""),
             post("Content-Length: -5", "hello"),
             post("Content-Length: +5", "hello"),
             post("Content-Length: 5, 5", "hello"),
             post("Content-Length: 0x5", "hello"),
             post("Content-Length:", "hello"),
             post("Content-Length: 99999999999999999999999", "hello"),
             post("Transfer-Encoding: chunked", "g\r\n"),
             post("Transfer-Encoding: chunked", "\r\n"),
             post("Transfer-Encoding: chunked", "2;\n\1xx\r\nab\r\n0\r\n\r\n"),
             post("Transfer-Encoding: chunked", "0\r\nGET /x HTTP/1.1\n\n\r\n\r\n"),
             post("Transfer-Encoding: chunked", "0\r\nX: \0\r\n\r\n"s),
             post("Transfer-Encoding: chunked", " 5\r\nhello\r\n0\r\n\r\n"),
             post("Transfer-Encoding: chunked", "-5\r\nhello\r\n0\r\n\r\n"),
             post("Transfer-Encoding: chunked", "fffffffffffffffff\r\n"),
             post("Transfer-Encoding: chunked", "5\r\nhelloX\r\n0\r\n\r\n"),
         }) {
        CAPTURE(bad);
        CHECK(Parsed(bad).error == 400);
        CHECK(Parsed(bad, 1).error == 400);
    }
}

TEST_CASE("an HTTP/1.0 request is known, and has no chunks") {
    CHECK(Parsed("GET / HTTP/1.0\r\nHost: h\r\n\r\n").heads.at(0).is_http_1_0);
    CHECK(Parsed("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").error == 400);
}

TEST_CASE("a head is bounded, in bytes and in headers") {
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
    std::string many = start;
    for (std::size_t i = 0; i < most_http_headers - 1; ++i)
        many += "X" + std::to_string(i) + ": y\r\n";
    CHECK(Parsed(many + "\r\n").error == 0);
    CHECK(Parsed(many + "One: more\r\n\r\n").error == 400);

    const std::string ends = "\r\n\r\n";
    std::string longest = start + "X: ";
    longest += std::string(longest_http_head - longest.size() - ends.size(), 'y') + ends;
    CHECK(Parsed(longest).error == 0);
    longest.insert(longest.size() - ends.size(), 1, 'y');
    CHECK(Parsed(longest).error == 400);
    CHECK(Parsed(longest, 1).error == 400);
    CHECK(Parsed(std::string(longest_http_head, 'x')).error == 400);
}

TEST_CASE("the lines between chunks and behind them are bounded") {
    CHECK(Parsed(post("Transfer-Encoding: chunked", "5;" + std::string(300, 'x'))).error == 400);
    std::string endless = "0\r\n";
    for (int i = 0; i < 1000; ++i)
        endless += "X: y\r\n";
    CHECK(Parsed(post("Transfer-Encoding: chunked", endless)).error == 400);
}

TEST_CASE("a malformed stream stays malformed") {
    RequestParser parser;
    std::string_view bad = "x\r\n\r\n";
    CHECK(parser.next(bad) == Step::malformed);
    std::string_view good = get;
    CHECK(parser.next(good) == Step::malformed);
}

TEST_CASE("a query's parameters are found and decoded") {
    bool is_malformed = false;
    const auto value = [&](std::string_view query, std::string_view name = "key") {
        is_malformed = false;
        return query_parameter(query, name, is_malformed);
    };
    CHECK(value("key=a%2Fb&x=1") == "a/b");
    CHECK(value("x=1&key=SHA256:a+b") == "SHA256:a+b");
    CHECK(value("key=") == "");
    CHECK(value("key") == "");
    CHECK_FALSE(value("keys=a"));
    CHECK_FALSE(value(""));
    CHECK_FALSE(is_malformed);
    for (const char* const bad : {"key=%", "key=%4", "key=%zz", "key=a&key=b"}) {
        value(bad);
        CHECK(is_malformed);
    }
}

TEST_CASE("an answer tells its length, and that the connection ends") {
    const std::string bytes = to_bytes(refusal(404, "there is nothing"), true);
    CHECK(bytes.starts_with("HTTP/1.1 404 Not Found\r\n"));
    CHECK(bytes.find("Content-Length: 17\r\n") != std::string::npos);
    CHECK(bytes.find("Connection: close\r\n") != std::string::npos);
    CHECK(bytes.ends_with("\r\n\r\nthere is nothing\n"));
    CHECK(to_bytes(refusal(404, "there is nothing"), false, false).ends_with("\r\n\r\n"));
}
