#include "supervisor/proxy/list_ahead.hpp"

#include <utility>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// For so long what was answered is taken for what is.
constexpr auto longest_kept = 2s;

} // namespace

bool ListAhead::takes(const Message& message, bool client_waits, bool list_is_awaited,
                      TimePoint now) {
    switch (state_) {
    case State::none:
    case State::answered:
        return false;
    case State::behind_request:
        state_ = State::next;
        return false;
    case State::next:
        break;
    }
    state_ = State::none;
    if (list_is_awaited)
        return false;
    if (!client_waits && message.type() == MessageType::identities_answer) {
        state_ = State::answered;
        answer_ = message.frame();
        answered_at_ = now;
    }
    return true;
}

std::optional<std::string> ListAhead::take(TimePoint now) {
    if (state_ != State::answered)
        return std::nullopt;
    state_ = State::none;
    std::string answer = std::exchange(answer_, {});
    return now - answered_at_ < longest_kept ? std::optional(std::move(answer)) : std::nullopt;
}

} // namespace livesock
