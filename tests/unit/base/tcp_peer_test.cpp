#include "supervisor/base/tcp_peer.hpp"

#include "tests/support/connected.hpp"

#include <array>
#include <cstring>

#include <doctest/doctest.h>
#include <unistd.h>

using namespace livesock;

namespace {

/// The ends of a connection between two IPv4 addresses.
TcpEnds ends_between(const char* own, const char* peer) {
    TcpEnds ends;
    const auto set = [](sockaddr_storage& storage, const char* address) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
        v4.sin_family = AF_INET;
        REQUIRE(::inet_pton(AF_INET, address, &v4.sin_addr) == 1);
    };
    set(ends.own, own);
    set(ends.peer, peer);
    return ends;
}

} // namespace

TEST_CASE("nobody holds an end that was closed, least of all root") {
    Connected connected;
    const Result<TcpEnds> ends = ends_of(connected.server.get());
    REQUIRE(ends);
    CHECK(uid_of_peer(*ends) == ::geteuid());
    connected.client.reset();
    CHECK_FALSE(uid_of_peer(*ends));
}

TEST_CASE("a connection is found in the kernel's table by both of its ends") {
    TcpEnds ends;
    auto& own = reinterpret_cast<sockaddr_in&>(ends.own);
    auto& peer = reinterpret_cast<sockaddr_in&>(ends.peer);
    own.sin_family = peer.sin_family = AF_INET;
    own.sin_addr.s_addr = peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    own.sin_port = htons(7221);
    peer.sin_port = htons(40000);
    const std::string head =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";
    const std::string ours = "   0: 0100007F:1C35 0100007F:9C40 01 00000000:00000000 00:00000000 "
                             "00000000  1000        0 4711 1 0000000000000000\n";
    const auto line = [](const char* state, const char* uid, const char* inode) {
        return std::string("   1: 0100007F:9C40 0100007F:1C35 ") + state +
               " 00000000:00000000 00:00000000 00000000  " + uid + "        0 " + inode +
               " 1 0000000000000000\n";
    };
    CHECK(uid_in_table(head + ours + line("01", "1234", "99"), ends) == uid_t{1234});
    CHECK_FALSE(uid_in_table(head + ours, ends));
    CHECK_FALSE(uid_in_table(head + line("06", "0", "0"), ends)); // TIME_WAIT
    CHECK_FALSE(uid_in_table(head + line("01", "0", "0"), ends)); // held by nobody
    CHECK_FALSE(uid_in_table(head + line("01", "x", "99"), ends));
    CHECK_FALSE(uid_in_table("", ends));
    CHECK_FALSE(uid_in_table(line("01", "1234", "99").substr(0, 60), ends));
}

TEST_CASE("addresses are written as a Host is") {
    const Connected connected;
    const Result<TcpEnds> ends = ends_of(connected.server.get());
    REQUIRE(ends);
    CHECK(to_text(ends->own).starts_with("127.0.0.1:"));
    CHECK(to_text(ends->own) != to_text(ends->peer));
}

TEST_CASE("before a server accepts it is known who listens") {
    for (const int family : {AF_INET, AF_INET6}) {
        const Connected connected(family);
        if (!connected.server)
            continue; // there may be no IPv6
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        REQUIRE(::getsockname(connected.listener.get(), reinterpret_cast<sockaddr*>(&address),
                              &length) == 0);
        const UniqueFd waiting(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(waiting.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
        const Result<TcpEnds> ends = ends_of(waiting.get());
        REQUIRE(ends);
        CHECK_FALSE(uid_of_peer(*ends));
        CHECK(uid_of_server(*ends) == ::geteuid());
        CHECK(check_server(waiting.get(), {}, "it"));
        const Result<TcpEnds> accepted = ends_of(connected.client.get());
        REQUIRE(accepted);
        CHECK(uid_of_server(*accepted) == ::geteuid());
    }
}

TEST_CASE("a listener is found in the kernel's table at its address, or at all of them") {
    const TcpEnds ends = [] {
        TcpEnds made = ends_between("127.0.0.1", "127.0.0.1");
        reinterpret_cast<sockaddr_in&>(made.own).sin_port = htons(40000);
        reinterpret_cast<sockaddr_in&>(made.peer).sin_port = htons(7221);
        return made;
    }();
    const auto line = [](const char* address, const char* state) {
        return std::string("   1: ") + address + " 00000000:0000 " + state +
               " 00000000:00000000 00:00000000 00000000  1234        0 99 1 0000000000000000\n";
    };
    CHECK(listener_in_table(line("0100007F:1C35", "0A"), ends) == uid_t{1234});
    CHECK(listener_in_table(line("00000000:1C35", "0A"), ends) == uid_t{1234});
    CHECK_FALSE(listener_in_table(line("0100007F:1C35", "01"), ends));
    CHECK_FALSE(listener_in_table(line("0100007F:1C36", "0A"), ends));
    CHECK_FALSE(listener_in_table(line("0200007F:1C35", "0A"), ends));
}

TEST_CASE("what is no TCP is not taken for an address of this machine") {
    // In the place of an IPv4 address vsock has a port: this one reads 127.19.0.0.
    TcpEnds ends = ends_between("127.0.0.1", "127.19.0.0");
    ends.own.ss_family = ends.peer.ss_family = AF_VSOCK;
    CHECK_FALSE(is_this_machine(ends));
}

TEST_CASE("a peer is on this machine if its address is loopback's or ours") {
    CHECK(is_this_machine(ends_between("127.0.0.1", "127.0.0.2")));
    CHECK(is_this_machine(ends_between("192.0.2.7", "192.0.2.7")));
    CHECK_FALSE(is_this_machine(ends_between("192.0.2.7", "192.0.2.8")));
    TcpEnds mapped;
    auto& peer = reinterpret_cast<sockaddr_in6&>(mapped.peer);
    mapped.own.ss_family = peer.sin6_family = AF_INET6;
    REQUIRE(::inet_pton(AF_INET6, "::ffff:127.0.0.1", &peer.sin6_addr) == 1);
    CHECK(is_this_machine(mapped));
    REQUIRE(::inet_pton(AF_INET6, "::ffff:192.0.2.8", &peer.sin6_addr) == 1);
    CHECK_FALSE(is_this_machine(mapped));
}
