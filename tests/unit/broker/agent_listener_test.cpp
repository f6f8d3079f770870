#include "supervisor/broker/agent_listener.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/any_port.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <optional>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

const std::string token(32, 't');
using Outcome = TokenExchange::Outcome;

/// A connection from `host` of this machine, which may show that it knows a token.
struct Peer {
    FarEnd end;
    std::optional<Outcome> outcome;
    std::unique_ptr<TokenExchange> exchange;

    explicit Peer(const AnyPort& port, const char* host = "127.0.0.1")
        : end(connect_to_port(port.port, host)) {}
    void show(EventLoop& loop, const std::string& secret) {
        exchange = std::make_unique<TokenExchange>(loop, end.fd(), TokenHandshake::Role::connector,
                                                   secret, [this](Outcome how) { outcome = how; });
    }
};

struct Listening {
    EventLoop loop = make_loop();
    AnyPort port;
    std::vector<FarEnd> taken;
    std::vector<std::string> places;
    bool has_room = true;
    std::unique_ptr<AgentListener> listener;

    explicit Listening(const std::string& secret = {}) {
        ListenSettings settings;
        settings.tcp = port.text();
        listen(settings, secret, std::move(port.listener));
    }
    void listen(const ListenSettings& settings, const std::string& secret, UniqueFd fd) {
        listener = std::make_unique<AgentListener>(
            loop, settings, secret, std::move(fd),
            [this](UniqueFd client, const std::string& where) {
                taken.emplace_back(std::move(client));
                places.push_back(where);
            },
            [this] { return has_room; });
    }
    bool takes(std::size_t count) {
        return run_until(loop, [&] { return taken.size() == count; });
    }
    /// Whether the listener closes that connection, and has said nothing on it but a hello.
    bool is_closed(Peer& peer) {
        return run_until(loop, [&] { return peer.end.at_end(); });
    }
};

} // namespace

TEST_CASE("without a token a client of this user is given away as soon as it is there") {
    Listening listening;
    Peer peer(listening.port);
    REQUIRE(listening.takes(1));
    CHECK(listening.places[0] == "127.0.0.1");
    CHECK(listening.listener->handshakes() == 0);
    peer.end.send("request");
    CHECK(run_until(listening.loop, [&] { return listening.taken[0].received() == "request"; }));
}

TEST_CASE("a client at a path is given away, for the taker to look at") {
    const TempDir temp;
    Listening listening;
    ListenSettings settings;
    settings.path = temp.entry("further.sock");
    Result<UniqueFd> fd = listen_as(settings);
    REQUIRE(fd);
    listening.listen(settings, {}, std::move(*fd));
    const FarEnd client(settings.path);
    REQUIRE(listening.takes(1));
    CHECK(listening.places[0] == "this machine");
}

TEST_CASE("with a token only who knows it is given away") {
    Listening listening(token);
    Peer peer(listening.port);
    SUBCASE("it does") {
        peer.show(listening.loop, token);
        REQUIRE(listening.takes(1));
        CHECK(run_until(listening.loop, [&] { return peer.outcome == Outcome::done; }));
        peer.end.send("request");
        CHECK(
            run_until(listening.loop, [&] { return listening.taken[0].received() == "request"; }));
    }
    SUBCASE("it knows another one") {
        peer.show(listening.loop, std::string(32, 'u'));
        CHECK(run_until(listening.loop, [&] { return peer.outcome.has_value(); }));
        CHECK(peer.outcome != Outcome::done);
        CHECK(listening.taken.empty());
    }
    SUBCASE("it begins with a request") {
        peer.end.send(std::string(64, '\0'));
        CHECK(listening.is_closed(peer));
        CHECK(listening.taken.empty());
    }
    SUBCASE("it leaves") {
        REQUIRE(run_until(listening.loop, [&] { return listening.listener->handshakes() == 1; }));
        peer.end.close();
    }
    CHECK(run_until(listening.loop, [&] { return listening.listener->handshakes() == 0; }));
}

TEST_CASE("while no further client can be served they wait, and are served then") {
    Listening listening;
    listening.has_room = false;
    Peer peer(listening.port);
    settle(listening.loop);
    CHECK(listening.taken.empty());
    CHECK_FALSE(peer.end.at_end());
    listening.has_room = true;
    CHECK(listening.takes(1));
}

TEST_CASE("who floods us with silent connections loses his own, and keeps nobody out") {
    Listening listening(token);
    // The oldest of all, and not of that address.
    Peer other(listening.port, "127.0.0.2");
    std::vector<std::unique_ptr<Peer>> flood;
    for (std::size_t i = 0; i < most_handshakes; ++i) {
        flood.push_back(std::make_unique<Peer>(listening.port));
        REQUIRE(run_until(listening.loop, [&] { return flood.back()->end.received().size() > 0; }));
    }
    CHECK(listening.listener->handshakes() == most_handshakes);
    CHECK(listening.is_closed(*flood[0]));
    CHECK_FALSE(flood[1]->end.at_end());
    Peer friendly(listening.port, "127.0.0.3");
    friendly.show(listening.loop, token);
    CHECK(listening.takes(1));
    CHECK(listening.places[0] == "127.0.0.3");
    CHECK(listening.is_closed(*flood[1]));
    CHECK_FALSE(other.end.at_end());
}

TEST_CASE("where each has an address of its own the oldest loses it") {
    Listening listening(token);
    std::vector<std::unique_ptr<Peer>> peers;
    for (std::size_t i = 0; i < most_handshakes; ++i) {
        // Each comes before the last one in the order of texts.
        const std::string host = "127.0.0." + std::to_string(99 - i);
        peers.push_back(std::make_unique<Peer>(listening.port, host.c_str()));
        REQUIRE(run_until(listening.loop, [&] { return peers.back()->end.received().size() > 0; }));
    }
    const Peer further(listening.port, "127.0.0.200");
    CHECK(listening.is_closed(*peers[0]));
    settle(listening.loop);
    CHECK_FALSE(peers.back()->end.at_end());
    CHECK(listening.listener->handshakes() == most_handshakes);
}

TEST_CASE("over vsock the CID decides, where any are named") {
    Listening listening;
    ListenSettings settings;
    settings.vsock = "any:7222";
    AnyPort port; // a peer that has no CID is of none that can be named
    std::string secret;
    bool is_heard = false;
    SUBCASE("some are named") {
        settings.cids = {3, 4};
    }
    SUBCASE("some are named, and there is a token") {
        settings.cids = {3, 4};
        secret = token;
    }
    SUBCASE("neither") {}
    SUBCASE("there is only a token") {
        secret = token;
        is_heard = true;
    }
    listening.listen(settings, secret, std::move(port.listener));
    Peer peer(port);
    if (is_heard) {
        peer.show(listening.loop, token);
        CHECK(listening.takes(1));
    } else {
        CHECK(listening.is_closed(peer));
        CHECK(listening.taken.empty());
        CHECK(peer.end.received().empty());
    }
}

TEST_CASE("a socket that was released is somebody else's: who connects waits for him") {
    Listening listening;
    const UniqueFd released = listening.listener->release();
    REQUIRE(released);
    Peer peer(listening.port);
    settle(listening.loop);
    CHECK(listening.taken.empty());
    const UniqueFd accepted(::accept4(released.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(accepted);
}
