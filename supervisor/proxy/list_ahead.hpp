// A far agent's identities, asked for before the client does.
#pragma once

#include "supervisor/agent/message.hpp"
#include "supervisor/base/clock.hpp"

#include <optional>
#include <string>

namespace livesock {

/// ssh lists the identities right after its session-bind. With the question on its way already that
/// takes no round trip of its own. An agent answers in order, so what comes next is known: this
/// keeps account of it for one connection to an agent.
class ListAhead {
  public:
    /// The question has been sent, right behind a request of the client.
    void asked() { state_ = State::behind_request; }

    /// Whether `message`, which the agent has sent, is the answer to that question and to nothing
    /// that the client has asked. `list_is_awaited`: the client has asked the same meanwhile.
    bool takes(const Message& message, bool client_waits, bool list_is_awaited, TimePoint now);

    /// Whether the next message is the answer: a list need not be sent.
    bool is_coming() const { return state_ == State::next; }

    /// Whether nothing is asked and nothing kept.
    bool is_idle() const { return state_ == State::none; }

    /// The answer, if it has come and is young enough to be what is. Kept no longer either way.
    std::optional<std::string> take(TimePoint now);

  private:
    enum class State {
        none,
        behind_request, ///< the next message answers the client's request, the one after it this
        next,           ///< the next message answers this
        answered,
    };
    State state_ = State::none;
    std::string answer_;
    TimePoint answered_at_{};
};

} // namespace livesock
