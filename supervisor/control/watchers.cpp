#include "supervisor/control/watchers.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace livesock {

Watchers::Watchers(EventLoop& loop, std::function<void(Id)> answer)
    : answer_(std::move(answer))
    , news_(loop.on_demand([this] { answer_all(); }))
    , patience_(loop.timer([this] { answer_due(); })) {}

void Watchers::wait(Id id, std::optional<std::uint64_t> seen, Duration patience) {
    // A number of another supervisor is none of ours: what it stands for has changed.
    if (seen != changes_) {
        answer_(id);
        return;
    }
    waiting_[id] =
        Clock::now() + std::clamp<Duration>(patience, Duration::zero(), longest_patience);
    schedule();
}

void Watchers::note_change() {
    ++changes_;
    if (!waiting_.empty())
        news_.trigger();
}

void Watchers::answer_all() {
    for (const auto& [id, until] : std::exchange(waiting_, {}))
        answer_(id);
    patience_.pause();
}

void Watchers::answer_due() {
    const TimePoint now = Clock::now();
    std::vector<Id> due;
    for (const auto& [id, until] : waiting_)
        if (until <= now)
            due.push_back(id);
    for (const Id id : due) {
        waiting_.erase(id);
        answer_(id);
    }
    schedule();
}

void Watchers::schedule() {
    if (waiting_.empty())
        return;
    const auto first =
        std::min_element(waiting_.begin(), waiting_.end(), [](const auto& one, const auto& other) {
            return one.second < other.second;
        });
    patience_.start(std::max<Duration>(first->second - Clock::now(), Duration::zero()));
}

} // namespace livesock
