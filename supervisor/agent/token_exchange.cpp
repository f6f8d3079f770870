#include "supervisor/agent/token_exchange.hpp"

#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace livesock {

TokenExchange::TokenExchange(EventLoop& loop, int fd, TokenHandshake::Role role, std::string token,
                             std::function<void(Outcome)> on_end)
    : fd_(fd)
    , handshake_(role, std::move(token))
    , on_end_(std::move(on_end))
    , readable_(loop.on_readable(fd, [this] { on_readable(); }))
    , patience_(loop.timer([this] { finish(Outcome::silent); }))
    , refused_(loop.on_demand([this] { finish(Outcome::ended); })) {
    readable_.resume();
    patience_.start(handshake_limit);
    send();
}

void TokenExchange::on_readable() {
    char buffer[128];
    const std::size_t wanted = std::min(handshake_.wanted(), sizeof buffer);
    const ssize_t count = ::recv(fd_, buffer, wanted, 0);
    if (count < 0 && would_block(errno))
        return;
    if (count <= 0) {
        finish(Outcome::ended);
        return;
    }
    const auto state = handshake_.take({buffer, static_cast<std::size_t>(count)});
    send();
    if (state == TokenHandshake::State::done)
        finish(Outcome::done);
    else if (state == TokenHandshake::State::failed)
        finish(Outcome::wrong);
}

/// The first bytes of a connection: its buffer has room for them.
void TokenExchange::send() {
    const std::string bytes = handshake_.to_send();
    if (!bytes.empty() &&
        ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
        refused_.trigger();
}

void TokenExchange::finish(Outcome outcome) {
    if (std::exchange(is_over_, true))
        return;
    readable_.pause();
    patience_.pause();
    on_end_(outcome);
}

} // namespace livesock
