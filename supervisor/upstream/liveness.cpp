#include "supervisor/upstream/liveness.hpp"

#include <algorithm>
#include <cassert>

namespace livesock {

std::string_view name_of(AgentState state) {
    switch (state) {
    case AgentState::fresh:
        return "new";
    case AgentState::live:
        return "live";
    case AgentState::late:
        return "late";
    case AgentState::hung:
        return "hung";
    case AgentState::dead:
        return "dead";
    }
    return {};
}

void Liveness::asked(TimePoint now) {
    if (state_ == AgentState::dead)
        state_ = AgentState::fresh;
    if (!asked_at_)
        asked_at_ = now;
}

void Liveness::answered(TimePoint now) {
    if (asked_at_)
        round_trips_.push_back(now - *asked_at_);
    if (round_trips_.size() > most_round_trips)
        round_trips_.pop_front();
    asked_at_.reset();
    last_answer_ = now;
    state_ = AgentState::live;
}

void Liveness::died() {
    asked_at_.reset();
    state_ = AgentState::dead;
}

void Liveness::forget() {
    asked_at_.reset();
    round_trips_.clear();
    last_answer_.reset();
    state_ = AgentState::fresh;
}

void Liveness::sign_began() {
    ++signs_;
}

void Liveness::sign_ended(TimePoint now) {
    assert(signs_ > 0);
    --signs_;
    last_sign_end_ = now;
}

std::optional<TimePoint> Liveness::hung_at() const {
    if (!asked_at_ || signs_ > 0)
        return std::nullopt;
    return std::max(*asked_at_, last_sign_end_.value_or(*asked_at_)) + settings_.hung_after;
}

void Liveness::pass(TimePoint now) {
    if (!asked_at_)
        return;
    if (state_ == AgentState::live && now >= *asked_at_ + settings_.timeout)
        state_ = AgentState::late;
    if (const auto hung = hung_at(); hung && now >= *hung)
        state_ = AgentState::hung;
}

std::optional<TimePoint> Liveness::deadline() const {
    if (!asked_at_ || state_ == AgentState::hung)
        return std::nullopt;
    if (state_ == AgentState::live)
        return *asked_at_ + settings_.timeout;
    return hung_at();
}

} // namespace livesock
