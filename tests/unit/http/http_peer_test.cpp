#include "supervisor/http/http_peer.hpp"

#include "tests/support/connected.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace livesock;

TEST_CASE("the user behind a loopback connection is told") {
    int family = AF_INET;
    SUBCASE("IPv4") {
        family = AF_INET;
    }
    SUBCASE("IPv6") {
        family = AF_INET6;
    }
    const Connected connected(family);
    if (!connected.server)
        return;
    HttpPeer peer(connected.server.get());
    CHECK(peer.is_loopback());
    CHECK_FALSE(peer.is_unix());
    CHECK(peer.uid() == ::geteuid());
}

TEST_CASE("a TCP client that has been reset is nobody, and no Unix client") {
    Connected connected;
    const linger reset{.l_onoff = 1, .l_linger = 0};
    REQUIRE(::setsockopt(connected.client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    connected.client.reset();
    HttpPeer peer(connected.server.get());
    CHECK_FALSE(peer.is_unix());
    CHECK_FALSE(peer.is_loopback());
    CHECK_FALSE(peer.uid());
    CHECK(peer.name() == "somebody who has left");
}
