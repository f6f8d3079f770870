#include "supervisor/http/response_parser.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using ResponseStep = ResponseParser::Step;

namespace {

struct ParsedResponse {
    int status = 0;
    std::string type;
    std::string body;
    bool is_complete = false;
    bool is_malformed = false;
    bool ends_with_connection = false;
    std::size_t left = 0; // of the input
};

ParsedResponse parse(std::string_view text, std::size_t step = 100'000) {
    ResponseParser parser;
    ParsedResponse parsed;
    while (!text.empty() && !parsed.is_complete && !parsed.is_malformed) {
        std::string_view piece = text.substr(0, step);
        const std::size_t before = piece.size();
        ResponseStep next = ResponseStep::more;
        do {
            next = parser.next(piece);
            if (next == ResponseStep::head) {
                parsed.status = parser.status();
                parsed.type = parser.type();
            } else if (next == ResponseStep::body) {
                parsed.body += parser.piece();
            }
            parsed.is_complete = next == ResponseStep::complete;
            parsed.is_malformed = next == ResponseStep::malformed;
        } while (next == ResponseStep::head || next == ResponseStep::body);
        text.remove_prefix(before - piece.size());
    }
    parsed.ends_with_connection = parser.at_end();
    parsed.left = text.size();
    return parsed;
}

} // namespace

TEST_CASE("a response is read, however it arrives") {
    const std::string lengthy = "HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; x=y\r\n"
                                "Content-Length: 5\r\n\r\nhello";
    const std::string chunked =
        "HTTP/1.1 200 OK\r\ncontent-type:text/plain\r\n"
        "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n03\r\nllo\r\n0\r\n"
        "Trailer: x\r\n\r\n";
    for (const std::string& text : {lengthy, chunked})
        for (const std::size_t step : {1U, 2U, 3U, 1000U}) {
            const ParsedResponse parsed = parse(text, step);
            CHECK(parsed.is_complete);
            CHECK(parsed.status == 200);
            CHECK(parsed.type == "text/plain");
            CHECK(parsed.body == "hello");
            CHECK(parsed.left == 0);
        }
}

TEST_CASE("a body without a length ends with the connection, others do not") {
    const ParsedResponse open = parse("HTTP/1.0 200 OK\r\n\r\nhel");
    CHECK(open.body == "hel");
    CHECK(!open.is_complete);
    CHECK(open.ends_with_connection);
    CHECK(!parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel").ends_with_connection);
    CHECK(!parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
               .ends_with_connection);
    CHECK(!parse("HTTP/1.1 200 OK\r\n").ends_with_connection);
}

TEST_CASE("an answer without a body is complete with its head") {
    CHECK(parse("HTTP/1.1 204 No Content\r\n\r\n").is_complete);
    CHECK(parse("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").is_complete);
    const ParsedResponse interim = parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n"
                                         "Content-Length: 0\r\n\r\n");
    CHECK(interim.is_complete);
    CHECK(interim.status == 202);
}

TEST_CASE("what is no response, or can be read in two ways, is malformed") {
    for (const char* wrong :
         {"\r\n",
          "SSH-2.0-x\r\n",
          "HTTP/2 200 OK\r\n",
          "HTTP/1.1 20 OK\r\n",
          "HTTP/1.1 2000\r\n",
          "HTTP/1.1 -20 OK\r\n",
          "HTTP/1.1 200 OK\r\nno colon\r\n",
          "HTTP/1.1 200 OK\r\n: x\r\n",
          "HTTP/1.1 200 OK\r\na b: x\r\n",
          "HTTP/1.1 200 OK\r\na: x\r\n folded\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
          "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
          "HTTP/1.1 101 Switching\r\n\r\n",
          "HTTP/1.1 200 OK\r\na: \rb\r\n"}) {
        CAPTURE(wrong);
        CHECK(parse(wrong).is_malformed);
    }
}

TEST_CASE("a head has a limit, and so has every line between chunks") {
    CHECK(parse("HTTP/1.1 200 OK\r\na: " + std::string(longest_response_head, 'x')).is_malformed);
    std::string many = "HTTP/1.1 200 OK\r\n";
    while (many.size() <= longest_response_head)
        many += "a: b\r\n";
    CHECK(parse(many).is_malformed);
    CHECK(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                std::string(longest_response_head, 'x'))
              .is_malformed);
    std::string stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 20'000; ++i)
        stream += "1\r\nx\r\n";
    CHECK(parse(stream).body.size() == 20'000);
}
