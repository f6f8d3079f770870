// Clients that another process goes on with.
#include "supervisor/base/endpoint.hpp"
#include "tests/unit/proxy/proxied.hpp"

#include <fcntl.h>

using namespace livesock;

namespace {

/// The other process: it keeps what it takes.
struct Taker {
    std::vector<std::pair<UniqueFd, std::vector<SessionBinding>>> taken;
    bool is_willing = true;

    void take_from(Proxy& proxy) {
        proxy.give_clients([this](int fd, std::span<const SessionBinding> bindings) {
            if (is_willing)
                taken.emplace_back(UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)),
                                   std::vector(bindings.begin(), bindings.end()));
            return is_willing;
        });
    }
};

} // namespace

TEST_CASE("a client to whom nothing is owed is given away, and served on by the other") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, session_bind_frame()) == success_frame);
    Taker taker;
    SUBCASE("who takes it") {
        taker.take_from(*proxied.proxy);
        settle(proxied.loop);
        CHECK(proxied.proxy->clients() == 0);
        REQUIRE(taker.taken.size() == 1);
        auto& [fd, bindings] = taker.taken.front();
        REQUIRE(bindings.size() == 1);
        CHECK(bindings[0].frame == session_bind_frame());
        CHECK(bindings[0].was_accepted);
        proxied.proxy->take_client(std::move(fd), std::move(bindings));
    }
    SUBCASE("who does not take it now") {
        taker.is_willing = false;
        taker.take_from(*proxied.proxy);
        settle(proxied.loop);
    }
    CHECK(proxied.proxy->clients() == 1);
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
}

TEST_CASE("a client is not given away while something is on its way") {
    Proxied proxied;
    FarEnd client = proxied.connect();
    Taker taker;
    SUBCASE("its request has no answer") {
        REQUIRE(client.send(request_identities_frame()));
    }
    SUBCASE("half a message has come") {
        REQUIRE(client.send(request_identities_frame().substr(0, 3)));
    }
    REQUIRE(run_until(proxied.loop, [&] { return proxied.proxy->clients() == 1; }));
    settle(proxied.loop);
    taker.take_from(*proxied.proxy);
    CHECK(taker.taken.empty());
    CHECK(proxied.proxy->clients() == 1);
}

TEST_CASE("who waits in the backlog of a socket that is replaced is served") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd early = proxied.connect();
    proxied.proxy->listen_on(std::move(*listen_at(proxied.path)));
    FarEnd late = proxied.connect();
    CHECK(proxied.ask(early, request_identities_frame()) == list_of(agent));
    CHECK(proxied.ask(late, request_identities_frame()) == list_of(agent));
}

TEST_CASE("clients of other machines get a quarter of the room") {
    ProxySettings settings = Proxied::slow_proxy;
    settings.max_clients = 8;
    Proxied proxied(settings);
    Endpoint endpoint;
    UniqueFd listener;
    for (int port = 20000 + ::getpid() % 20000; !listener && port < 65536; ++port) {
        endpoint = *tcp_endpoint("127.0.0.1:" + std::to_string(port));
        if (Result<UniqueFd> fd = listen_on(endpoint))
            listener = std::move(*fd);
    }
    std::vector<FarEnd> clients;
    for (int i = 0; i < 2; ++i) {
        CHECK(proxied.proxy->has_room_for_remote());
        clients.emplace_back(std::move(*begin_connect(endpoint)));
        UniqueFd accepted;
        CHECK(run_until(proxied.loop, [&] {
            accepted.reset(
                ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            return static_cast<bool>(accepted);
        }));
        proxied.proxy->take_client(std::move(accepted), {});
    }
    CHECK(proxied.proxy->clients() == 2);
    CHECK(!proxied.proxy->has_room_for_remote());
    FakeAgent& agent = proxied.add_live('a');
    CHECK(proxied.ask(clients[0], request_identities_frame()) == list_of(agent));
    clients[1].close();
    CHECK(run_until(proxied.loop, [&] { return proxied.proxy->has_room_for_remote(); }));
}
