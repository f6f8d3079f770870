#include "supervisor/proxy/upstream_connection.hpp"

#include <utility>

namespace livesock {

void UpstreamConnection::open(const Candidate& agent, Candidate::Upstream upstream) {
    stream_ = std::make_unique<MessageStream>(
        loop_, std::move(upstream.fd),
        MessageStream::Callbacks{
            .message = [this](const Message& message) { callbacks_.message(message); },
            .end = [this](MessageStream::End) { callbacks_.end(); },
            .drained = [] {}});
    path_ = agent.path();
    agent_ = agent.id();
    was_kept_ = upstream.was_spare;
}

void UpstreamConnection::close() {
    request_ended();
    ahead_ = {};
    stream_->close();
    closed_.push_back(std::move(stream_));
}

void UpstreamConnection::request_began() {
    if (Candidate* const asked = agent(); asked && !std::exchange(is_out_, true))
        asked->request_began();
}

void UpstreamConnection::sign_began() {
    if (Candidate* const asked = agent()) {
        asked->sign_began();
        is_signing_ = true;
    }
}

void UpstreamConnection::request_ended() {
    const bool was_out = std::exchange(is_out_, false);
    const bool was_signing = std::exchange(is_signing_, false);
    Candidate* const asked = was_out ? agent() : nullptr;
    if (asked == nullptr)
        return;
    if (was_signing)
        asked->sign_ended();
    asked->request_ended();
}

} // namespace livesock
