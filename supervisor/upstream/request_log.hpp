// The requests that were answered last, for those who watch.
#pragma once

#include "supervisor/agent/message.hpp"
#include "supervisor/base/clock.hpp"
#include "supervisor/upstream/client_facts.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>

namespace livesock {

/// How a request ended.
enum class RequestEnd {
    answered, ///< by an agent
    failed,   ///< we had to answer with SSH_AGENT_FAILURE
    refused,  ///< the policy did not let it pass
};

[[nodiscard]] constexpr std::string_view name_of(RequestEnd end) {
    switch (end) {
    case RequestEnd::answered:
        return "answered";
    case RequestEnd::failed:
        return "failed";
    case RequestEnd::refused:
        return "refused";
    }
    return {};
}

struct DoneRequest {
    std::uint64_t number = 0; ///< counted from 1
    std::chrono::system_clock::time_point at;
    RequestKind kind = RequestKind::other;
    ClientFacts client;
    std::string path;  ///< of the agent that was asked last; empty for none
    std::string label; ///< of that
    RequestEnd end = RequestEnd::answered;
    Duration took{};
};

/// Keeps the last of them, while somebody watches: to know who a client is takes several reads of
/// /proc, which is too much for every request.
class RequestLog {
  public:
    static constexpr std::size_t most = 32;
    /// Who has watched is taken to go on for so long.
    static constexpr std::chrono::seconds watching_lasts{10};

    /// Somebody watches at `now`.
    void watch(TimePoint now) { watched_until_ = now + watching_lasts; }
    bool is_watched(TimePoint now) const { return now < watched_until_; }

    /// `listener` is called after every add().
    void on_change(std::function<void()> listener) { listener_ = std::move(listener); }

    /// Takes up `request`, which gets its number here.
    void add(DoneRequest request) {
        request.number = ++count_;
        requests_.push_back(std::move(request));
        if (requests_.size() > most)
            requests_.pop_front();
        if (listener_)
            listener_();
    }
    /// The oldest first.
    const std::deque<DoneRequest>& requests() const { return requests_; }

  private:
    std::deque<DoneRequest> requests_;
    std::uint64_t count_ = 0;
    TimePoint watched_until_{};
    std::function<void()> listener_;
};

} // namespace livesock
