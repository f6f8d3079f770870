#include "supervisor/base/endpoint.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>

using namespace livesock;

namespace {

/// A listener on a port of 127.0.0.1 that was free.
std::pair<UniqueFd, Endpoint> listen_somewhere() {
    for (int port = 20000 + ::getpid() % 20000; port < 65536; ++port) {
        Endpoint endpoint = *tcp_endpoint("127.0.0.1:" + std::to_string(port));
        if (Result<UniqueFd> fd = listen_on(endpoint))
            return {std::move(*fd), std::move(endpoint)};
    }
    return {};
}

bool becomes_writable(int fd) {
    pollfd state{.fd = fd, .events = POLLOUT, .revents = 0};
    return ::poll(&state, 1, 5000) == 1;
}

} // namespace

TEST_CASE("a TCP endpoint is a numeric address and a port") {
    CHECK(tcp_endpoint("127.0.0.1:22")->text == "127.0.0.1:22");
    CHECK(tcp_endpoint("[::1]:65535")->text == "[::1]:65535");
    CHECK(tcp_endpoint("[0:0::1]:22")->text == "[::1]:22");
    CHECK(tcp_endpoint("localhost:7222")->text == "127.0.0.1:7222");
    CHECK(tcp_endpoint("10.0.0.9:1")->is_tcp());
    for (const char* wrong :
         {"", ":", "22", "127.0.0.1", "127.0.0.1:", ":22", "127.0.0.1:0", "127.0.0.1:65536",
          "127.0.0.1:-1", "127.0.0.1:22x", "127.0.0.1: 22", "127.1:22", "::1:22", "[::1:22",
          "[127.0.0.1]:22", "[]:22", "example.org:22", "127.0.0.1:22:33"}) {
        CAPTURE(wrong);
        CHECK(!tcp_endpoint(wrong));
    }
    CHECK(tcp_endpoint("example.org:22").error().message.find("numeric") != std::string::npos);
}

TEST_CASE("a vsock endpoint is a context and a port, numbers or well-known names") {
    CHECK(vsock_endpoint("2:7222")->text == "vsock:2:7222");
    CHECK(vsock_endpoint("host:1")->address.ss_family == AF_VSOCK);
    CHECK(vsock_endpoint("local:1"));
    CHECK(vsock_endpoint("any:4294967294"));
    CHECK(!vsock_endpoint("2:7222")->is_tcp());
    for (const char* wrong : {"", "2", ":7222", "2:", "2:0", "2:4294967295", "2:4294967296",
                              "-1:7222", "guest:7222", "2:7222x"}) {
        CAPTURE(wrong);
        CHECK(!vsock_endpoint(wrong));
    }
}

TEST_CASE("an endpoint leads to a listener of this machine, whatever its address is called") {
    const auto over_tcp = [](std::string_view there, std::string_view here) {
        return leads_to(*tcp_endpoint(there), *tcp_endpoint(here));
    };
    CHECK(over_tcp("127.0.0.1:1", "127.0.0.1:1"));
    CHECK(over_tcp("127.0.0.1:1", "localhost:1"));
    CHECK(over_tcp("127.0.0.2:1", "0.0.0.0:1"));
    CHECK(over_tcp("0.0.0.0:1", "127.0.0.1:1"));
    CHECK(over_tcp("0.0.0.0:1", "0.0.0.0:1"));
    CHECK(over_tcp("[::1]:1", "[::]:1"));
    CHECK(over_tcp("10.0.0.9:1", "10.0.0.9:1"));
    CHECK_FALSE(over_tcp("127.0.0.1:1", "127.0.0.1:2"));
    CHECK_FALSE(over_tcp("127.0.0.1:1", "127.0.0.2:1"));
    CHECK_FALSE(over_tcp("127.0.0.1:1", "0.0.0.0:2"));
    CHECK_FALSE(over_tcp("127.0.0.1:1", "[::]:1"));
    CHECK_FALSE(over_tcp("10.0.0.9:1", "0.0.0.0:1"));

    const auto over_vsock = [](std::string_view there, std::string_view here) {
        return leads_to(*vsock_endpoint(there), *vsock_endpoint(here));
    };
    CHECK(over_vsock("host:1", "2:1"));
    CHECK(over_vsock("local:1", "1:1"));
    CHECK(over_vsock("local:1", "any:1"));
    CHECK_FALSE(over_vsock("local:1", "any:2"));
    // In a virtual machine that is another one.
    CHECK_FALSE(over_vsock("host:1", "any:1"));
    CHECK_FALSE(leads_to(*vsock_endpoint("local:1"), *tcp_endpoint("127.0.0.1:1")));
}

TEST_CASE("loopback is what no other machine can reach") {
    CHECK(is_loopback(*tcp_endpoint("127.0.0.1:22")));
    CHECK(is_loopback(*tcp_endpoint("127.9.9.9:22")));
    CHECK(is_loopback(*tcp_endpoint("[::1]:22")));
    CHECK(!is_loopback(*tcp_endpoint("0.0.0.0:22")));
    CHECK(!is_loopback(*tcp_endpoint("[::]:22")));
    CHECK(!is_loopback(*tcp_endpoint("[::ffff:127.0.0.1]:22")));
    CHECK(!is_loopback(*tcp_endpoint("10.0.0.9:22")));
    CHECK(!is_loopback(*vsock_endpoint("local:22")));
}

TEST_CASE("connecting does not wait, and tells how it has ended") {
    auto [listener, endpoint] = listen_somewhere();
    REQUIRE(listener);
    const Result<UniqueFd> fd = begin_connect(endpoint);
    REQUIRE(fd);
    CHECK(becomes_writable(fd->get()));
    CHECK(connect_error(fd->get()) == 0);
    CHECK(!peer_cid(fd->get()));

    listener.reset();
    const Result<UniqueFd> refused = begin_connect(endpoint);
    if (refused) {
        CHECK(becomes_writable(refused->get()));
        CHECK(connect_error(refused->get()) == ECONNREFUSED);
    } else {
        CHECK(refused.error().code == ECONNREFUSED);
    }
}

TEST_CASE("an endpoint at which somebody listens is not taken from him") {
    const auto [listener, endpoint] = listen_somewhere();
    const Result<UniqueFd> second = listen_on(endpoint);
    REQUIRE(!second);
    CHECK(second.error().code == EADDRINUSE);
    CHECK(second.error().message.find(endpoint.text) != std::string::npos);
}
