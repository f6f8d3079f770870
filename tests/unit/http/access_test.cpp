#include "supervisor/http/access.hpp"

#include "tests/support/far_end.hpp"
#include "tests/support/temp_dir.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <unistd.h>

using namespace livesock;

namespace {

HttpRequest request_with(std::vector<HttpHeader> headers) {
    HttpRequest request;
    request.headers = std::move(headers);
    return request;
}

/// A client that has connected over TCP, as its server sees it.
struct TcpClient {
    UniqueFd client;
    UniqueFd server;
    std::string port;

    TcpClient() {
        const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        socklen_t length = sizeof address;
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener.get(), generic, length) == 0);
        REQUIRE(::listen(listener.get(), 1) == 0);
        REQUIRE(::getsockname(listener.get(), generic, &length) == 0);
        client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(client.get(), generic, length) == 0);
        server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        port = ":" + std::to_string(ntohs(address.sin_port));
    }
    HttpPeer peer() const { return HttpPeer(server.get()); }
};

int status_of(Access& access, const HttpRequest& request, HttpPeer peer) {
    const AccessVerdict verdict = access.check(request, peer);
    return verdict.refusal ? verdict.refusal->status : 200;
}

/// What is answered to a request for a host that is none of ours.
std::string foreign_refusal(const HttpPeer& peer) {
    const auto refused =
        Access(AccessSettings{}).refused_as_web(request_with({{"host", "evil.example"}}), peer);
    REQUIRE(refused);
    return refused->body;
}

bool is_web(const HttpPeer& peer, std::vector<HttpHeader> headers,
            std::vector<std::string> hosts = {}) {
    const Access access({.hosts = std::move(hosts)});
    const auto refused = access.refused_as_web(request_with(std::move(headers)), peer);
    CHECK((!refused || refused->status == 403));
    return refused.has_value();
}

} // namespace

TEST_CASE("over TCP the Host is the address, localhost or a configured name, at this port") {
    const TcpClient tcp;
    const HttpPeer peer = tcp.peer();
    CHECK_FALSE(is_web(peer, {{"host", "127.0.0.1" + tcp.port}}));
    CHECK_FALSE(is_web(peer, {{"host", "localhost" + tcp.port}}));
    CHECK_FALSE(is_web(peer, {{"host", "LOCALHOST" + tcp.port}}));
    CHECK(is_web(peer, {{"host", "localhost"}}));
    CHECK(is_web(peer, {{"host", "localhost:1"}}));
    CHECK(is_web(peer, {{"host", "127.0.0.1"}}));
    CHECK(is_web(peer, {{"host", "127.0.0.2" + tcp.port}}));
    CHECK(is_web(peer, {{"host", "evil.example" + tcp.port}}));
    CHECK(is_web(peer, {{"host", ""}}));
    CHECK(is_web(peer, {{"host", tcp.port}}));
    CHECK(is_web(peer, {{"host", "localhost.evil.example" + tcp.port}}));
    CHECK(is_web(peer, {{"host", "my.host" + tcp.port}}));
    CHECK_FALSE(is_web(peer, {{"host", "my.host" + tcp.port}}, {"my.host"}));
    CHECK(is_web(peer, {{"host", "my.host:9"}}, {"my.host"}));
    CHECK_FALSE(is_web(peer, {{"host", "my.host:9"}}, {"my.host:9"}));
    CHECK_FALSE(is_web(peer, {{"host", "my.host"}}, {"my.host:80"}));
    CHECK(is_web(peer, {{"host", "my.host" + tcp.port}}, {"my.host:9"}));
    CHECK(foreign_refusal(peer).find("send 'Host: 127.0.0.1" + tcp.port + "'") !=
          std::string::npos);
}

TEST_CASE("over a Unix socket the Host is localhost or a configured name") {
    auto [ours, theirs] = make_connection();
    const HttpPeer peer(ours.get());
    CHECK_FALSE(is_web(peer, {{"host", "localhost"}}));
    CHECK_FALSE(is_web(peer, {{"host", "localhost:80"}}));
    CHECK(is_web(peer, {{"host", "evil.example"}}));
    CHECK(is_web(peer, {{"host", ""}}));
    CHECK_FALSE(is_web(peer, {{"host", "livesock"}}, {"livesock"}));
    CHECK(
        foreign_refusal(peer) ==
        "'evil.example' is no name of this listener: send 'Host: localhost', as http://localhost/ "
        "does, or add the name to the listener's 'hosts' in livesock.toml\n");
}

TEST_CASE("a request that a browser made is refused, whatever its Host") {
    const TcpClient tcp;
    const HttpPeer peer = tcp.peer();
    const HttpHeader host{"host", "localhost" + tcp.port};
    CHECK(is_web(peer, {host, {"origin", "https://evil.example"}}));
    CHECK(is_web(peer, {host, {"origin", "null"}}));
    CHECK(is_web(peer, {host, {"origin", "http://localhost" + tcp.port}}));
    CHECK(is_web(peer, {host, {"sec-fetch-site", "none"}}));
    CHECK(is_web(peer, {host, {"sec-fetch-mode", "no-cors"}}));
}

TEST_CASE("this user is let in without a token, unless one is required") {
    auto [ours, theirs] = make_connection();
    const TcpClient tcp;
    Access open{AccessSettings{}};
    CHECK(status_of(open, request_with({}), HttpPeer(ours.get())) == 200);
    CHECK(status_of(open, request_with({}), tcp.peer()) == 200);
    Access strict({.requires_token = true});
    CHECK(status_of(strict, request_with({}), HttpPeer(ours.get())) == 401);
    CHECK(status_of(strict, request_with({}), tcp.peer()) == 401);
}

TEST_CASE("a client that has gone is nobody") {
    TcpClient tcp;
    Access open{AccessSettings{}};
    HttpPeer peer = tcp.peer();
    tcp.client.reset();
    CHECK(status_of(open, request_with({}), peer) == 401);
}

TEST_CASE("a token lets in, and a wrong one keeps out even this user") {
    const TempDir temp;
    const std::string token = *ClientTokens(temp.entry("tokens")).add("ci");
    Access access({.token_file = temp.entry("tokens"), .requires_token = true});
    const TcpClient tcp;
    const auto status = [&](const std::string& authorization) {
        return status_of(access, request_with({{"authorization", authorization}}), tcp.peer());
    };
    CHECK(status("Bearer " + token) == 200);
    CHECK(status("bearer " + token) == 200);
    CHECK(status("Bearer " + token + "x") == 401);
    CHECK(status("Bearer " + token.substr(1)) == 401);
    CHECK(status("Bearer ") == 401);
    CHECK(status(token) == 401);
    CHECK(status("Basic " + token) == 401);
    CHECK(status("") == 401);

    HttpPeer peer = tcp.peer();
    CHECK(access.check(request_with({{"authorization", "Bearer " + token}}), peer).grant.who ==
          "token ci");

    Access open{AccessSettings{.token_file = temp.entry("tokens")}};
    CHECK(status_of(open, request_with({}), tcp.peer()) == 200);
    CHECK(status_of(open, request_with({{"authorization", "Bearer x"}}), tcp.peer()) == 401);
    REQUIRE(ClientTokens(temp.entry("tokens")).revoke("ci"));
    CHECK(status("Bearer " + token) == 401);
}

TEST_CASE("a 401 says how to get in") {
    Access strict({.requires_token = true});
    auto [ours, theirs] = make_connection();
    HttpPeer peer(ours.get());
    const AccessVerdict verdict = strict.check(request_with({}), peer);
    REQUIRE(verdict.refusal);
    CHECK(verdict.refusal->headers.at(0).first == "WWW-Authenticate");
    CHECK(verdict.refusal->body.find("livesock signing token") != std::string::npos);
}
