#include "supervisor/agent/token_exchange.hpp"

#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"

#include <optional>

#include <doctest/doctest.h>

using namespace livesock;
using Role = TokenHandshake::Role;
using Outcome = TokenExchange::Outcome;

namespace {

const std::string shared_token(32, 't');

struct Exchanging {
    UniqueFd fd;
    std::optional<Outcome> outcome;
    int calls = 0;
    std::optional<TokenExchange> exchange;

    void begin(EventLoop& loop, UniqueFd with, Role role, const std::string& secret) {
        fd = std::move(with);
        exchange.emplace(loop, fd.get(), role, secret, [this](Outcome how) {
            outcome = how;
            ++calls;
        });
    }
};

} // namespace

TEST_CASE("both ends of a socket learn that the other knows the token") {
    EventLoop loop = make_loop();
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    Exchanging listener;
    Exchanging connector;
    listener.begin(loop, UniqueFd(ends[0]), Role::listener, shared_token);
    connector.begin(loop, UniqueFd(ends[1]), Role::connector, shared_token);
    REQUIRE(run_until(loop, [&] { return listener.outcome && connector.outcome; }));
    CHECK(*listener.outcome == Outcome::done);
    CHECK(*connector.outcome == Outcome::done);
    CHECK(listener.calls == 1);
}

TEST_CASE("what follows the handshake stays in the socket") {
    EventLoop loop = make_loop();
    auto [ours, far] = make_connection();
    Exchanging listener;
    listener.begin(loop, std::move(ours), Role::listener, shared_token);
    const std::string hello = far.take();
    TokenHandshake connector(Role::connector, shared_token);
    connector.take(hello);
    far.send(connector.to_send() + "the first request");
    REQUIRE(run_until(loop, [&] { return listener.outcome.has_value(); }));
    CHECK(*listener.outcome == Outcome::done);
    char buffer[64];
    CHECK(::recv(listener.fd.get(), buffer, sizeof buffer, 0) == 17);
}

TEST_CASE("an end that leaves, or does not know the token, is told apart") {
    EventLoop loop = make_loop();
    auto [ours, far] = make_connection();
    Exchanging listener;
    listener.begin(loop, std::move(ours), Role::listener, shared_token);
    SUBCASE("it leaves") {
        far.close();
        REQUIRE(run_until(loop, [&] { return listener.outcome.has_value(); }));
        CHECK(*listener.outcome == Outcome::ended);
    }
    SUBCASE("it answers wrongly") {
        far.send(std::string(64, 'x'));
        REQUIRE(run_until(loop, [&] { return listener.outcome.has_value(); }));
        CHECK(*listener.outcome == Outcome::wrong);
        CHECK(far.take().size() == 48);
    }
    settle(loop);
    CHECK(listener.calls == 1);
}

TEST_CASE("an end that says nothing is waited for no longer than the limit") {
    EventLoop loop = make_loop();
    auto [ours, far] = make_connection();
    Exchanging listener;
    const TimePoint begun = Clock::now();
    listener.begin(loop, std::move(ours), Role::listener, shared_token);
    far.send("x"); // and no more
    REQUIRE(run_until(loop, [&] { return listener.outcome.has_value(); }));
    CHECK(*listener.outcome == Outcome::silent);
    CHECK(Clock::now() - begun < handshake_limit + std::chrono::seconds(2));
}
