#include "supervisor/agent/token_handshake.hpp"

#include <cassert>
#include <utility>

#include <sodium.h>

namespace livesock {
namespace {

constexpr std::string_view token_magic = "livesock-token-1";
constexpr std::size_t nonce_size = 32;
constexpr std::size_t proof_size = crypto_auth_hmacsha256_BYTES;
constexpr char listener_mark = 'L';
constexpr char connector_mark = 'C';

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string random_nonce() {
    // Before anything else of the library: it chooses its source of randomness.
    [[maybe_unused]] const int ready = ::sodium_init();
    assert(ready >= 0);
    std::string nonce(nonce_size, '\0');
    ::randombytes_buf(nonce.data(), nonce.size());
    return nonce;
}

} // namespace

TokenHandshake::TokenHandshake(Role role, std::string token)
    : role_(role)
    , token_(std::move(token)) {
    if (role_ != Role::listener)
        return;
    nonces_ = random_nonce();
    to_send_ = std::string(token_magic) + nonces_;
}

TokenHandshake::~TokenHandshake() {
    ::sodium_memzero(token_.data(), token_.size());
}

std::size_t TokenHandshake::wanted() const {
    if (state_ != State::waiting)
        return 0;
    std::size_t size = nonce_size + proof_size;
    if (role_ == Role::connector)
        size = nonces_.empty() ? token_magic.size() + nonce_size : proof_size;
    return size - received_.size();
}

TokenHandshake::State TokenHandshake::take(std::string_view bytes) {
    assert(bytes.size() <= wanted());
    received_ += bytes;
    // An agent client that speaks at once is told so at once, and not when the time is over.
    if (role_ == Role::connector && nonces_.empty() &&
        received_.compare(0, token_magic.size(), token_magic.substr(0, received_.size())) != 0)
        state_ = State::failed;
    else if (wanted() == 0)
        on_complete();
    return state_;
}

void TokenHandshake::on_complete() {
    const std::string message = std::exchange(received_, {});
    const std::string_view view = message;
    if (role_ == Role::listener) {
        nonces_ += view.substr(0, nonce_size);
        check(view.substr(nonce_size), connector_mark);
        if (state_ == State::done)
            to_send_ = proof(listener_mark);
    } else if (nonces_.empty()) {
        const std::string ours = random_nonce();
        nonces_ = std::string(view.substr(token_magic.size())) + ours;
        to_send_ = ours + proof(connector_mark);
    } else {
        check(view, listener_mark);
    }
}

void TokenHandshake::check(std::string_view shown, char role) {
    const std::string expected = proof(role);
    const bool is_right = shown.size() == expected.size() &&
                          ::sodium_memcmp(shown.data(), expected.data(), expected.size()) == 0;
    state_ = is_right ? State::done : State::failed;
}

std::string TokenHandshake::proof(char role) const {
    const std::string message = std::string(token_magic) + role + nonces_;
    crypto_auth_hmacsha256_state state;
    ::crypto_auth_hmacsha256_init(&state, bytes_of(token_), token_.size());
    ::crypto_auth_hmacsha256_update(&state, bytes_of(message), message.size());
    std::string result(proof_size, '\0');
    ::crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(result.data()));
    ::sodium_memzero(&state, sizeof state);
    return result;
}

std::string TokenHandshake::to_send() {
    return std::exchange(to_send_, {});
}

} // namespace livesock
