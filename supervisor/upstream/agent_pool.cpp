#include "supervisor/upstream/agent_pool.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

void tell(const Candidate& candidate, AgentState before) {
    const std::string who =
        fmt::format("the agent of {} ('{}')", candidate.label(), escaped(candidate.path()));
    const Liveness& liveness = candidate.liveness();
    switch (candidate.state()) {
    case AgentState::fresh:
        log::debug("{} is asked", who);
        break;
    case AgentState::live:
        log::info("{} is live: {} key{}, answered in {}", who, candidate.identities().size(),
                  candidate.identities().size() == 1 ? "" : "s",
                  format_duration(liveness.round_trip().value_or(Duration::zero())));
        break;
    case AgentState::late:
        log::info("{} is late: another live one is preferred", who);
        break;
    case AgentState::hung:
        log::warning("{} does not answer: not used until it does; wake its client, or end that "
                     "login",
                     who);
        break;
    case AgentState::dead:
        // What never answered is somebody's leftover, of which there may be thousands; but not if
        // it is a fallback, which the user counts on.
        if (before != AgentState::fresh)
            log::info("{} is dead: {}", who, candidate.reason());
        else
            log::print(candidate.tier() > 0 ? log::Level::warning : log::Level::debug,
                       "{} is dead: {}", who, candidate.reason());
        break;
    }
}

} // namespace

AgentPool::AgentPool(EventLoop& loop, ProbeSettings settings, ReportPublisher& publisher)
    : loop_(loop)
    , settings_(settings)
    , publisher_(publisher)
    , update_(loop.on_demand([this] { update(); })) {}

Result<Candidate*> AgentPool::add(const std::string& path, Origin origin) {
    Result<SocketFile> file = check_socket(path);
    if (!file)
        return file.error();
    const auto leads_to = [&](const std::string& own) { return is_same_file(file->path, own); };
    if (std::any_of(own_sockets_.begin(), own_sockets_.end(), leads_to))
        return Error{fmt::format("'{}' is livesock's own socket", escaped(path)), EPERM};
    if (Candidate* const fallback = find_fallback_at(file->path)) {
        if (fallback->state() == AgentState::dead)
            fallback->start();
        return fallback;
    }
    if (Candidate* const known = find(file->path)) {
        if (origin == Origin::registered)
            known->keep();
        if (known->state() == AgentState::dead)
            known->start();
        if (known->state() == AgentState::dead && origin == Origin::registered)
            return Error{known->reason(), ECONNREFUSED};
        return known;
    }
    if (candidates_.size() >= most_agents && !make_room()) {
        if (!std::exchange(warned_of_limit_, true))
            log::warning("more than {} agents at once: '{}' and further ones are ignored; end old "
                         "logins, or narrow [discovery] in the configuration",
                         most_agents, escaped(path));
        return Error{fmt::format("there are {} agents already", most_agents), ENOSPC};
    }
    auto candidate = std::make_unique<Candidate>(
        loop_, settings_, most_upstreams_, std::move(*file), origin, [this] { update_.trigger(); });
    candidate->start();
    // Of the sockets that are found when we start, most belong to logins that ended without care;
    // and who names one at which nobody listens has made a mistake.
    const bool is_dead = candidate->state() == AgentState::dead;
    if (candidate->is_gone() || (is_dead && origin == Origin::registered))
        return Error{candidate->reason(), ECONNREFUSED};
    candidates_.push_back(std::move(candidate));
    return candidates_.back().get();
}

Candidate& AgentPool::add_fallback(const std::string& name, Fallback fallback) {
    candidates_.push_back(std::make_unique<Candidate>(loop_, settings_, most_upstreams_, name,
                                                      std::move(fallback),
                                                      [this] { update_.trigger(); }));
    candidates_.back()->start();
    note_change();
    return *candidates_.back();
}

/// By whatever name it was found: who is named a fallback is one.
Candidate* AgentPool::find_fallback_at(const std::string& path) const {
    for (const auto& candidate : candidates_)
        if (candidate->tier() > 0 && is_same_file(candidate->socket(), path))
            return candidate.get();
    return nullptr;
}

/// Gives up the oldest of the agents that are of no use now, if there is one.
bool AgentPool::make_room() {
    const Candidate* oldest = nullptr;
    for (const auto& candidate : candidates_) {
        const bool is_useless = candidate->tier() == 0 && (candidate->state() == AgentState::hung ||
                                                           candidate->state() == AgentState::dead);
        if (is_useless && (oldest == nullptr || candidate->born() < oldest->born()))
            oldest = candidate.get();
    }
    if (oldest != nullptr)
        forget_if([oldest](const Candidate& candidate) { return &candidate == oldest; });
    return oldest != nullptr;
}

Candidate* AgentPool::find(const std::string& path) const {
    for (const auto& candidate : candidates_)
        if (candidate->path() == path)
            return candidate.get();
    return nullptr;
}

Candidate* AgentPool::find(std::uint64_t id) const {
    for (const auto& candidate : candidates_)
        if (candidate->id() == id)
            return candidate.get();
    return nullptr;
}

bool AgentPool::fits_pin(const Candidate& candidate) const {
    if (pin_.empty())
        return false;
    if (pin_ == candidate.path() || pin_ == candidate.label())
        return true;
    if (candidate.login() && pin_ == candidate.login()->client_address)
        return true;
    return std::any_of(
        candidate.identities().begin(), candidate.identities().end(),
        [&](const Identity& identity) { return fingerprint(identity.blob) == pin_; });
}

Result<void> AgentPool::pin(const std::string& wanted) {
    const std::string before = std::exchange(pin_, wanted);
    const bool fits =
        std::any_of(candidates_.begin(), candidates_.end(), [&](const auto& candidate) {
            return candidate->state() != AgentState::dead && fits_pin(*candidate);
        });
    if (!fits) {
        pin_ = before;
        return Error{fmt::format("no agent is called '{}'", escaped(wanted)), ENOENT};
    }
    log::info("pinned: '{}'", escaped(wanted));
    select();
    note_change();
    return {};
}

void AgentPool::unpin() {
    pin_.clear();
    select();
    note_change();
}

void AgentPool::restore_pin(const std::string& wanted) {
    pin_ = wanted;
    select();
    note_change();
}

bool AgentPool::is_settled() const {
    return std::none_of(candidates_.begin(), candidates_.end(), [](const auto& candidate) {
        return candidate->state() == AgentState::fresh;
    });
}

/// Something changed that the next update() cannot tell from the states.
void AgentPool::note_change() {
    has_changed_ = true;
    update_.trigger();
}

std::vector<AgentView> AgentPool::views(std::span<const std::string> excluded) const {
    std::vector<AgentView> views;
    for (const auto& candidate : candidates_) {
        const bool is_out =
            std::find(excluded.begin(), excluded.end(), candidate->path()) != excluded.end();
        views.push_back({.state = is_out ? AgentState::dead : candidate->state(),
                         .is_pinned = std::find(pinned_.begin(), pinned_.end(), candidate.get()) !=
                                      pinned_.end(),
                         .tier = candidate->tier(),
                         .has_keys = !candidate->identities().empty(),
                         .born = candidate->born()});
    }
    return views;
}

Candidate* AgentPool::best_except(std::span<const std::string> excluded) const {
    const std::optional<std::size_t> best = choose(views(excluded));
    return best ? candidates_[*best].get() : nullptr;
}

void AgentPool::publish_instead(const std::string& path) {
    published_instead_ = path;
    select();
}

bool AgentPool::needs(const Candidate& candidate) const {
    const auto found = std::find_if(candidates_.begin(), candidates_.end(),
                                    [&](const auto& known) { return known.get() == &candidate; });
    return is_needed(views({}), static_cast<std::size_t>(found - candidates_.begin()));
}

void AgentPool::on_change(std::function<void()> listener) {
    listeners_.push_back(std::move(listener));
}

void AgentPool::apply(const ProbeSettings& settings) {
    settings_ = settings;
    for (const auto& candidate : candidates_)
        candidate->apply(settings);
}

void AgentPool::limit_upstreams(std::size_t most) {
    most_upstreams_ = most;
    for (const auto& candidate : candidates_)
        candidate->limit_upstreams(most);
}

void AgentPool::update() {
    const Candidate* const before = selected_;
    select();
    const bool states_changed = tell_news();
    sweep();
    const bool has_changed =
        std::exchange(has_changed_, false) || states_changed || selected_ != before;
    finish_refreshes();
    if (has_changed)
        for (const auto& listener : listeners_)
            listener();
}

void AgentPool::select() {
    if (before_choice_)
        before_choice_();
    // Here and not for every request: to tell who an agent is takes dozens of reads in /proc.
    pinned_.clear();
    for (const auto& candidate : candidates_)
        if (fits_pin(*candidate))
            pinned_.push_back(candidate.get());
    Candidate* const chosen = best_except({});
    // Before the log is. A late agent may be all there is, but nobody is led past the proxy to one
    // that may sleep.
    const bool is_live = chosen != nullptr && chosen->state() == AgentState::live;
    std::string shown = published_instead_;
    if (is_live && shown.empty())
        shown = chosen->socket(); // a command has none
    publisher_.publish(is_live && !shown.empty() ? std::optional(shown) : std::nullopt);
    if (chosen != selected_) {
        selected_ = chosen;
        if (chosen != nullptr)
            log::info("requests go to the agent of {}", chosen->label());
        else
            log::info("no agent is live: requests wait for one");
    }
}

bool AgentPool::tell_news() {
    bool has_changed = false;
    for (const auto& candidate : candidates_) {
        const Candidate::News news = candidate->take_news();
        if (news.former_state != candidate->state())
            tell(*candidate, news.former_state);
        has_changed |= news.former_state != candidate->state() || news.login_is_over;
    }
    return has_changed;
}

void AgentPool::sweep() {
    forget_if([](const Candidate& candidate) { return candidate.is_gone(); });
}

void AgentPool::forget_if(const std::function<bool(const Candidate&)>& is_unwanted) {
    for (std::size_t i = candidates_.size(); i-- > 0;) {
        if (!is_unwanted(*candidates_[i]))
            continue;
        if (candidates_[i].get() == selected_) {
            log::info("the agent of {} is forgotten", selected_->label());
            selected_ = nullptr;
        }
        std::erase(pinned_, candidates_[i].get());
        candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(i));
        warned_of_limit_ = false;
        note_change();
    }
}

void AgentPool::refresh(Duration patience, std::function<void()> done) {
    for (const auto& candidate : candidates_)
        if (candidate->state() == AgentState::live)
            candidate->refresh();
    auto refresh = std::make_unique<Refresh>();
    refresh->done = std::move(done);
    refresh->patience = loop_.timer([this, waiting = refresh.get()] {
        waiting->finished = true;
        update_.trigger();
    });
    refresh->patience.start(patience);
    refreshes_.push_back(std::move(refresh));
    update_.trigger();
}

void AgentPool::finish_refreshes() {
    const bool all_answered =
        std::none_of(candidates_.begin(), candidates_.end(), [](const auto& candidate) {
            return candidate->state() == AgentState::live && candidate->is_asked();
        });
    std::vector<std::unique_ptr<Refresh>> finished;
    for (auto& refresh : refreshes_)
        if (all_answered || refresh->finished)
            finished.push_back(std::move(refresh));
    std::erase(refreshes_, nullptr);
    for (const auto& refresh : finished)
        refresh->done();
}

} // namespace livesock
