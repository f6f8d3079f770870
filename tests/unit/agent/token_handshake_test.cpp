#include "supervisor/agent/token_handshake.hpp"

#include "supervisor/agent/message.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <sodium.h>

using namespace livesock;
using Role = TokenHandshake::Role;
using State = TokenHandshake::State;

namespace {

const std::string token(32, 't');

/// What is written in livesock-protocol(7), with another function of the library.
std::string hmac(const std::string& key, const std::string& message) {
    crypto_auth_hmacsha256_state state;
    std::string result(crypto_auth_hmacsha256_BYTES, '\0');
    crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(key.data()),
                                key.size());
    crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(message.data()),
                                  message.size());
    crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(result.data()));
    return result;
}

/// Gives `to` what `from` sends, `step` bytes at a time.
void carry(TokenHandshake& from, TokenHandshake& to, std::size_t step = 1000) {
    std::string bytes = from.to_send();
    while (!bytes.empty() && to.wanted() > 0) {
        const std::size_t count = std::min({step, bytes.size(), to.wanted()});
        to.take(std::string_view(bytes).substr(0, count));
        bytes.erase(0, count);
    }
    CHECK(bytes.empty());
}

} // namespace

TEST_CASE("two ends that know the token find each other, however their bytes arrive") {
    for (const std::size_t step : {1U, 7U, 1000U}) {
        TokenHandshake listener(Role::listener, token);
        TokenHandshake connector(Role::connector, token);
        carry(listener, connector, step);
        CHECK(connector.state() == State::waiting);
        carry(connector, listener, step);
        CHECK(listener.state() == State::done);
        CHECK(connector.state() == State::waiting);
        carry(listener, connector, step);
        CHECK(connector.state() == State::done);
        CHECK(listener.wanted() == 0);
        CHECK(connector.wanted() == 0);
        CHECK(listener.to_send().empty());
        CHECK(connector.to_send().empty());
    }
}

TEST_CASE("a connector with another token is told nothing") {
    TokenHandshake listener(Role::listener, token);
    TokenHandshake connector(Role::connector, std::string(32, 'u'));
    carry(listener, connector);
    carry(connector, listener);
    CHECK(listener.state() == State::failed);
    CHECK(listener.to_send().empty());
}

TEST_CASE("a listener that does not know the token is not believed") {
    TokenHandshake connector(Role::connector, token);
    connector.take("livesock-token-1" + std::string(32, 'n'));
    const std::string reply = connector.to_send();
    REQUIRE(reply.size() == 64);
    SUBCASE("it invents a proof") {
        CHECK(connector.take(std::string(32, 'p')) == State::failed);
    }
    SUBCASE("it sends the connector's own proof back") {
        CHECK(connector.take(reply.substr(32)) == State::failed);
    }
    CHECK(connector.to_send().empty());
}

TEST_CASE("a reply that was heard is of no use another time") {
    TokenHandshake first(Role::listener, token);
    TokenHandshake connector(Role::connector, token);
    carry(first, connector);
    const std::string reply = connector.to_send();
    TokenHandshake second(Role::listener, token);
    CHECK(second.take(reply) == State::failed);
}

TEST_CASE("the messages are those of the manual") {
    TokenHandshake listener(Role::listener, token);
    const std::string hello = listener.to_send();
    REQUIRE(hello.size() == 48);
    CHECK(hello.substr(0, 16) == "livesock-token-1");
    const std::string ours = hello.substr(16);
    const std::string theirs(32, 'c');
    CHECK(listener.wanted() == 64);
    CHECK(listener.take(theirs + hmac(token, "livesock-token-1C" + ours + theirs)) == State::done);
    CHECK(listener.to_send() == hmac(token, "livesock-token-1L" + ours + theirs));
}

TEST_CASE("nonces are fresh") {
    TokenHandshake one(Role::listener, token);
    TokenHandshake two(Role::listener, token);
    CHECK(one.to_send() != two.to_send());
}

TEST_CASE("an agent that speaks its own protocol is noticed with its first bytes") {
    TokenHandshake connector(Role::connector, token);
    CHECK(connector.take(failure_frame().substr(0, 1)) == State::failed);
}
