#include "supervisor/upstream/remote_agent.hpp"

#include "supervisor/base/tcp_peer.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>

namespace livesock {
namespace {

std::string why_not_connected(const Endpoint& endpoint, int code) {
    const std::string what =
        fmt::format("cannot connect to {}: {}", endpoint.text, std::strerror(code));
    return code == ECONNREFUSED || code == ECONNRESET
               ? what + "; is livesockd running there, with this address under [[listen]]?"
               : what;
}

std::string why_no_handshake(const Endpoint& endpoint, TokenExchange::Outcome outcome) {
    switch (outcome) {
    case TokenExchange::Outcome::done:
        return {};
    case TokenExchange::Outcome::wrong:
        return fmt::format("{} does not know the token, or speaks something else: compare "
                           "token_file on both machines",
                           endpoint.text);
    case TokenExchange::Outcome::ended:
        return fmt::format("{} closed the connection in the handshake: compare token_file on both "
                           "machines",
                           endpoint.text);
    case TokenExchange::Outcome::silent:
        return fmt::format("{} answers no handshake: has it a token_file?", endpoint.text);
    }
    return {};
}

} // namespace

/// One connection: connecting, then the handshake, then messages both ways, then over.
class RemoteAgent::Link {
  public:
    Link(RemoteAgent& owner, UniqueFd near, UniqueFd far)
        : owner_(owner)
        , near_fd_(std::move(near))
        , far_fd_(std::move(far))
        , connected_(owner.loop_.on_writable(far_fd_.get(), [this] { on_connected(); }))
        , patience_(owner.loop_.timer([this] { on_too_slow(); })) {
        connected_.resume();
        patience_.start(connect_limit);
    }

    bool is_over() const { return is_over_; }

  private:
    void on_connected();
    void on_too_slow();
    void greet();
    void on_handshake(TokenExchange::Outcome outcome);
    void relay();
    void on_near_end();
    void on_far_end(MessageStream::End end);
    void fail(std::string why);
    void finish();

    RemoteAgent& owner_;
    UniqueFd near_fd_; // towards the caller; until it is relayed, like far_fd_
    UniqueFd far_fd_;
    Watch connected_;
    Watch patience_;
    std::unique_ptr<TokenExchange> exchange_;
    std::unique_ptr<MessageStream> near_;
    std::unique_ptr<MessageStream> far_;
    bool was_answered_ = false;
    bool far_has_ended_ = false;
    bool is_over_ = false;
};

void RemoteAgent::Link::on_connected() {
    connected_.pause();
    patience_.pause();
    if (const int code = connect_error(far_fd_.get()); code != 0)
        fail(why_not_connected(owner_.endpoint_, code));
    else if (!owner_.token_.empty())
        greet();
    else if (const Result<void> checked = check_server(far_fd_.get(), {}, owner_.endpoint_.text);
             !checked)
        fail(checked.error().message + "; with a token_file on both ends it may be anybody's");
    else
        relay();
}

void RemoteAgent::Link::on_too_slow() {
    connected_.pause();
    fail(fmt::format("{} does not answer within {}: is that machine there, and does its firewall "
                     "let us in?",
                     owner_.endpoint_.text, format_duration(connect_limit)));
}

void RemoteAgent::Link::greet() {
    exchange_ = std::make_unique<TokenExchange>(
        owner_.loop_, far_fd_.get(), TokenHandshake::Role::connector, owner_.token_,
        [this](TokenExchange::Outcome outcome) { on_handshake(outcome); });
}

void RemoteAgent::Link::on_handshake(TokenExchange::Outcome outcome) {
    if (outcome == TokenExchange::Outcome::done)
        relay();
    else
        fail(why_no_handshake(owner_.endpoint_, outcome));
}

// Whatever cannot be written on one side stops reading on the other: each holds one message at
// most.

void RemoteAgent::Link::relay() {
    near_ = std::make_unique<MessageStream>(
        owner_.loop_, std::move(near_fd_),
        MessageStream::Callbacks{.message =
                                     [this](const Message& request) {
                                         far_->send(request.frame());
                                         if (!far_->is_drained())
                                             near_->hold();
                                     },
                                 .end = [this](MessageStream::End) { on_near_end(); },
                                 .drained =
                                     [this] {
                                         if (far_has_ended_)
                                             finish();
                                         else
                                             far_->release();
                                     }});
    far_ = std::make_unique<MessageStream>(
        owner_.loop_, std::move(far_fd_),
        MessageStream::Callbacks{.message =
                                     [this](const Message& answer) {
                                         was_answered_ = true;
                                         owner_.trouble_.clear();
                                         near_->send(answer.frame());
                                         if (!near_->is_drained())
                                             far_->hold();
                                     },
                                 .end = [this](MessageStream::End end) { on_far_end(end); },
                                 .drained = [this] { near_->release(); }});
    near_->start();
    far_->start();
}

void RemoteAgent::Link::on_near_end() {
    if (!is_over_)
        finish();
}

void RemoteAgent::Link::on_far_end(MessageStream::End end) {
    if (is_over_)
        return;
    if (end == MessageStream::End::malformed)
        owner_.trouble_ =
            fmt::format("{} does not speak the agent protocol{}", owner_.endpoint_.text,
                        owner_.token_.empty() ? ": does it want a token_file?" : "");
    else if (!was_answered_)
        owner_.trouble_ =
            fmt::format("{} closes connections without an answer", owner_.endpoint_.text);
    far_->close();
    far_has_ended_ = true;
    // Its last answer may not be written yet.
    if (near_->is_drained())
        finish();
}

void RemoteAgent::Link::fail(std::string why) {
    owner_.trouble_ = std::move(why);
    finish();
}

void RemoteAgent::Link::finish() {
    is_over_ = true;
    near_fd_.reset();
    if (near_)
        near_->close();
    if (far_)
        far_->close();
    owner_.sweep_.trigger();
}

RemoteAgent::RemoteAgent(EventLoop& loop, Endpoint endpoint, std::string token)
    : loop_(loop)
    , endpoint_(std::move(endpoint))
    , token_(std::move(token))
    , sweep_(loop.on_demand([this] { sweep(); })) {}

RemoteAgent::~RemoteAgent() = default;

Result<AgentConnection> RemoteAgent::connect() {
    if (links_.size() >= most_remote_connections)
        return Error{
            fmt::format("there are {} connections to {} already", links_.size(), endpoint_.text),
            EAGAIN};
    Result<UniqueFd> far = begin_connect(endpoint_);
    if (!far) {
        trouble_ = why_not_connected(endpoint_, far.error().code);
        return Error{trouble_, far.error().code};
    }
    Result<std::pair<UniqueFd, UniqueFd>> ends = connected_pair();
    if (!ends)
        return ends.error();
    links_.push_back(std::make_unique<Link>(*this, std::move(ends->second), std::move(*far)));
    return AgentConnection{std::move(ends->first), 0};
}

void RemoteAgent::sweep() {
    std::erase_if(links_, [](const auto& link) { return link->is_over(); });
}

} // namespace livesock
