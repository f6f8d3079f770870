#include "supervisor/http/http_url.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("a URL is a numeric address, perhaps a port, and a path") {
    const HttpUrl url = *parse_http_url("http://127.0.0.1:498/v1/publish?x=y");
    CHECK(url.endpoint.text == "127.0.0.1:498");
    CHECK(url.host == "127.0.0.1:498");
    CHECK(url.path == "/v1/publish?x=y");
    CHECK(parse_http_url("http://localhost")->endpoint.text == "127.0.0.1:80");
    CHECK(parse_http_url("http://localhost")->path == "/");
    CHECK(parse_http_url("http://[::1]/x")->endpoint.text == "[::1]:80");
    CHECK(parse_http_url("http://[::1]:8080/x")->endpoint.text == "[::1]:8080");
    CHECK(parse_http_url("vsock://2:498/v1/publish")->endpoint.text == "vsock:2:498");
}

TEST_CASE("what is no such URL is refused") {
    for (const char* wrong :
         {"", "http://", "http:///x", "https://127.0.0.1/", "127.0.0.1:80", "http://example.org/",
          "http://user@127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1:80 /",
          "http://127.0.0.1/a b", "http://127.0.0.1/a\r\nHost: x", "http://127.0.0.1/#x",
          "http://127.0.0.1/\xff", "vsock://2/x", "ftp://127.0.0.1/"}) {
        CAPTURE(wrong);
        CHECK(!parse_http_url(wrong));
    }
    CHECK(!parse_http_url("http://127.0.0.1/" + std::string(1024, 'x')));
}
