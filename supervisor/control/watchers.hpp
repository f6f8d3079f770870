// Clients of the control socket that wait for something to have changed.
#pragma once

#include "supervisor/loop/event_loop.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace livesock {

class Watchers {
  public:
    using Id = std::uint64_t;

    /// Nobody waits longer than this for news.
    static constexpr std::chrono::seconds longest_patience{60};

    /// `answer` tells a client how things are.
    Watchers(EventLoop& loop, std::function<void(Id)> answer);

    /// Answers `id` as soon as there is a change after the first `seen`, which may have been, and
    /// at the latest when `patience` is over. Without `seen` at once.
    void wait(Id id, std::optional<std::uint64_t> seen, Duration patience);
    /// Answers `id` no more.
    void forget(Id id) { waiting_.erase(id); }

    /// Something has changed; those who wait are answered when the loop's callbacks have returned.
    void note_change();
    /// Answers all who wait, now.
    void answer_all();

    /// How many changes there were.
    std::uint64_t changes() const { return changes_; }

  private:
    void answer_due();
    void schedule();

    std::function<void(Id)> answer_;
    std::uint64_t changes_ = 1;
    std::map<Id, TimePoint> waiting_; // until when
    Watch news_;
    Watch patience_;
};

} // namespace livesock
