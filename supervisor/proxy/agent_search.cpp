#include "supervisor/proxy/agent_search.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/proxy/failover.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// An agent whose backlog is full is dialled so many times in all, after pauses that double.
constexpr int most_dials = 4;
constexpr auto first_dial_pause = 200ms;

} // namespace

bool is_fit(const Candidate* agent) {
    return agent != nullptr &&
           (agent->state() == AgentState::live || agent->state() == AgentState::late);
}

void AgentSearch::begin(RequestKind kind, std::string_view key, bool merge) {
    kind_ = kind;
    key_ = key;
    merge_ = merge;
    began_at_ = Clock::now();
    attempts_ = 0;
    timeouts_ = 0;
    second_tries_ = 0;
    tried_twice_ = 0;
    dials_ = 0;
    paused_ = 0;
    tried_.clear();
    cause_.clear();
    log_.clear();
    if (is_merging())
        merged_ = std::make_unique<MergedList>();
}

Candidate* AgentSearch::next() {
    if (kind_ == RequestKind::sign && attempts_ == 0)
        if (Candidate* const offering = offering_agent())
            return offering;
    while (Candidate* const agent = agents_.best_except(tried_, preferred_)) {
        // Those that are merged are peers: a fallback serves where there is nobody else.
        if (has_share() && (agent->state() != AgentState::live || agent->tier() > 0))
            return nullptr;
        if (kind_ != RequestKind::sign || attempts_ == 0 || agent->id() == tried_twice_ ||
            agent->offers(key_))
            return agent;
        tried_.push_back(agent->path());
    }
    return nullptr;
}

/// Where agents are merged: the one, not tried yet, that this client has seen to offer the key,
/// else one that is known to offer it.
Candidate* AgentSearch::offering_agent() const {
    if (!merge_)
        return nullptr;
    const auto may_serve = [&](const Candidate* agent) {
        return is_fit(agent) &&
               std::find(tried_.begin(), tried_.end(), agent->path()) == tried_.end();
    };
    const std::optional<std::uint64_t> id = merged_ ? merged_->agent_of(key_) : std::nullopt;
    if (Candidate* const seen = id ? agents_.find(*id) : nullptr; may_serve(seen))
        return seen;
    std::vector<std::string> passed = tried_;
    while (Candidate* const agent = agents_.best_except(passed, preferred_)) {
        if (agent->offers(key_) && (agent->tier() == 0 || agent == agents_.selected()))
            return agent;
        passed.push_back(agent->path());
    }
    return nullptr;
}

bool AgentSearch::is_right(const Candidate* agent) const {
    if (!merge_)
        return is_best(agent);
    if (kind_ == RequestKind::list)
        return false;
    if (kind_ == RequestKind::other)
        return agent == agents_.selected();
    const Candidate* const offering = kind_ == RequestKind::sign ? offering_agent() : nullptr;
    return offering != nullptr ? offering == agent : is_best(agent);
}

/// Whether a connection to `agent` that is open already is as good as any.
bool AgentSearch::is_best(const Candidate* agent) const {
    if (!is_fit(agent))
        return false;
    if (preferred_ != 0)
        return agent == agents_.best_except({}, preferred_);
    const Candidate* const selected = agents_.selected();
    // A fallback is left at once when there is another.
    if (selected != nullptr && selected->state() == AgentState::live &&
        selected->tier() < agent->tier())
        return false;
    return agent->state() == AgentState::live || selected == agent || selected == nullptr ||
           selected->state() != AgentState::live;
}

bool AgentSearch::has_other_live(const Candidate& agent) const {
    if (agents_.is_pinned(agent))
        return false;
    std::vector<std::string> passed = tried_;
    passed.push_back(agent.path());
    const Candidate* const other = agents_.best_except(passed, preferred_);
    return other != nullptr && other->state() == AgentState::live;
}

std::optional<Duration> AgentSearch::dial_failed(const Candidate& agent, const Error& error) {
    cause_ = error.message;
    note(agent, cause_);
    const bool may_pass = error.code == EAGAIN || is_shortage(error.code);
    if (may_pass && ++dials_ < most_dials) {
        const Duration pause = first_dial_pause * (1 << (dials_ - 1));
        paused_ = agent.id();
        resume_at_ = Clock::now() + pause;
        return pause;
    }
    tried_.push_back(agent.path());
    return std::nullopt;
}

std::optional<Duration> AgentSearch::pause_before(const Candidate& agent) const {
    const Duration left = resume_at_ - Clock::now();
    return agent.id() == paused_ && left > Duration::zero() ? std::optional(left) : std::nullopt;
}

bool AgentSearch::begin_second_try(std::uint64_t agent) {
    return std::exchange(tried_twice_, agent) != agent;
}

bool AgentSearch::attempt_failed(const Failure& failure) {
    ++attempts_;
    const std::string label =
        failure.agent != nullptr ? failure.agent->label() : escaped(failure.path);
    cause_ = fmt::format("the agent of {} was asked: {}", label, failure.outcome);
    if (failure.agent != nullptr)
        note(*failure.agent, failure.outcome);
    else
        log_.push_back(
            {failure.path, label, AgentState::dead, failure.outcome, Clock::now() - began_at_});
    if (failure.is_timeout)
        ++timeouts_;
    if (failure.may_try_again)
        ++second_tries_;
    else
        tried_.push_back(failure.path);
    return has_share() || may_be_repeated({.kind = kind_,
                                           .was_sent = failure.was_sent,
                                           .attempts = attempts_ - second_tries_,
                                           .timeouts = timeouts_});
}

void AgentSearch::take_share(std::uint64_t agent, const std::string& path, const Message& answer) {
    merged_->add(agent, parse_identities(answer).value_or(std::vector<Identity>()));
    tried_.push_back(path);
}

void AgentSearch::note(const Candidate& agent, const std::string& outcome) {
    log_.push_back({agent.path(), agent.label(), agent.state(), outcome, Clock::now() - began_at_});
}

} // namespace livesock
