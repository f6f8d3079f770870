#include "supervisor/upstream/agent_pool.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

void tell(const Candidate& candidate, const Candidate::News& news) {
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
        // the user has said that there is one, and counts on it.
        if (news.is_told)
            log::debug("{} is still dead: {}", who, candidate.reason());
        else if (news.former_state != AgentState::fresh)
            log::info("{} is dead: {}", who, candidate.reason());
        else
            log::print(candidate.is_wanted() ? log::Level::warning : log::Level::debug,
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
    if (leads_to_any(file->path, own_sockets_))
        return Error{fmt::format("'{}' is livesock's own socket", escaped(path)), EPERM};
    if (Candidate* const fallback = find_fallback_at(file->path)) {
        if (fallback->state() == AgentState::dead)
            fallback->start();
        return fallback;
    }
    if (Candidate* const known = find(file->path)) {
        if (origin == Origin::registered)
            known->keep();
        known->renew(std::move(*file));
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
    auto candidate = make(std::move(*file), origin);
    candidate->start();
    // Of the sockets that are found when we start, most belong to logins that ended without care;
    // and who names one at which nobody listens has made a mistake.
    const bool is_dead = candidate->state() == AgentState::dead;
    if (candidate->is_gone() || (is_dead && origin == Origin::registered))
        return Error{candidate->reason(), ECONNREFUSED};
    candidates_.push_back(std::move(candidate));
    return candidates_.back().get();
}

std::unique_ptr<Candidate> AgentPool::make(SocketFile file, Origin origin) {
    auto candidate = std::make_unique<Candidate>(loop_, settings_, most_upstreams_, std::move(file),
                                                 origin, [this] { update_.trigger(); });
    candidate->check_origin(origin_check_);
    candidate->ask_for_names(host_names_);
    return candidate;
}

bool AgentPool::comes_back(const Message& request) {
    origin_check_.request_came();
    const std::optional<std::uint64_t> asked = origin_check_.asked(request);
    if (!asked)
        return false;
    if (Candidate* const agent = find(*asked)) {
        log::warning(
            "the agent of {} ('{}') leads back to livesock: what forwards it, an ssh -A or "
            "another supervisor, has our own socket as its agent; it is not used",
            agent->label(), escaped(agent->path()));
        agent->found_leading_back();
    }
    return true;
}

void AgentPool::restore(const std::string& path) {
    if (Candidate* const known = find(path)) {
        known->keep();
        return;
    }
    Result<SocketFile> file = check_socket(path);
    if (!file || candidates_.size() >= most_agents || leads_to_any(file->path, own_sockets_))
        return;
    candidates_.push_back(make(std::move(*file), Origin::registered));
    candidates_.back()->start();
    note_change();
}

void AgentPool::add_aside(const std::string& path, const std::string& socket, Origin origin) {
    Result<SocketFile> file = check_socket(socket);
    if (!file || find(path) != nullptr || candidates_.size() >= most_agents)
        return;
    file->name = file->path = path;
    candidates_.push_back(make(std::move(*file), origin));
    candidates_.back()->listens_at(socket);
    candidates_.back()->start();
    note_change();
}

Candidate& AgentPool::add_routed(const std::string& name, RoutedAgent routed) {
    candidates_.push_back(std::make_unique<Candidate>(
        loop_, settings_, most_upstreams_, name, std::move(routed), [this] { update_.trigger(); }));
    candidates_.back()->check_origin(origin_check_);
    candidates_.back()->ask_for_names(host_names_);
    candidates_.back()->start();
    note_change();
    return *candidates_.back();
}

/// By whatever name it was found: who is named a fallback is one.
Candidate* AgentPool::find_fallback_at(const std::string& path) const {
    for (const auto& candidate : candidates_)
        if (candidate->tier() > 0 &&
            (is_same_file(candidate->socket(), path) || is_same_file(candidate->path(), path)))
            return candidate.get();
    return nullptr;
}

/// Gives up the oldest of the agents that are of no use now, if there is one.
bool AgentPool::make_room() {
    const Candidate* oldest = nullptr;
    for (const auto& candidate : candidates_) {
        const bool is_useless =
            !candidate->is_wanted() &&
            (candidate->state() == AgentState::hung || candidate->state() == AgentState::dead);
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

bool AgentPool::is_settled() const {
    return std::none_of(candidates_.begin(), candidates_.end(), [](const auto& candidate) {
        return candidate->state() == AgentState::fresh && !candidate->is_resting();
    });
}

bool AgentPool::has_fallback() const {
    return std::any_of(candidates_.begin(), candidates_.end(),
                       [](const auto& candidate) { return candidate->tier() > 0; });
}

void AgentPool::keep_no_spares() {
    for (const auto& candidate : candidates_)
        candidate->keep_no_spare();
}

/// Something changed that the next update() cannot tell from the states.
void AgentPool::note_change() {
    has_changed_ = true;
    update_.trigger();
}

std::vector<AgentView> AgentPool::views(std::span<const std::string> excluded,
                                        std::uint64_t preferred) const {
    std::vector<AgentView> views;
    for (const auto& candidate : candidates_) {
        const bool is_out =
            std::find(excluded.begin(), excluded.end(), candidate->path()) != excluded.end();
        views.push_back({.state = is_out ? AgentState::dead : candidate->state(),
                         .is_pinned = is_pinned(*candidate),
                         .is_signing = candidate->may_wait_for_person(),
                         .tier = candidate->tier(),
                         .has_keys = !candidate->identities().empty(),
                         .is_preferred = candidate->id() == preferred,
                         .born = candidate->born()});
    }
    return views;
}

Candidate* AgentPool::find(const Login& login) const {
    for (const auto& candidate : candidates_)
        if (const std::optional<Login>& from = candidate->login();
            from && from->client_address == login.client_address &&
            from->client_port == login.client_port)
            return candidate.get();
    return nullptr;
}

Candidate* AgentPool::best_except(std::span<const std::string> excluded,
                                  std::uint64_t preferred) const {
    const std::optional<std::size_t> best = choose(views(excluded, preferred));
    return best ? candidates_[*best].get() : nullptr;
}

void AgentPool::publish_instead(const std::string& path) {
    published_instead_ = path;
    select();
}

bool AgentPool::needs(const Candidate& candidate) const {
    const auto found = std::find_if(candidates_.begin(), candidates_.end(),
                                    [&](const auto& known) { return known.get() == &candidate; });
    return is_needed(views({}, 0), static_cast<std::size_t>(found - candidates_.begin()));
}

void AgentPool::on_change(std::function<void()> listener) {
    listeners_.push_back(std::move(listener));
}

void AgentPool::apply(const ProbeSettings& settings) {
    settings_ = settings;
    for (const auto& candidate : candidates_)
        candidate->apply(settings);
}

void AgentPool::apply(const Labels& labels) {
    host_names_.apply(labels);
    note_change();
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
    find_pinned();
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
            tell(*candidate, news);
        has_changed |= news.former_state != candidate->state() || news.login_is_over;
    }
    return has_changed;
}

void AgentPool::sweep() {
    std::vector<std::string> gone;
    for (const auto& candidate : candidates_)
        if (candidate->is_gone())
            gone.push_back(candidate->name());
    if (gone.empty())
        return;
    forget_if([](const Candidate& candidate) { return candidate.is_gone(); });
    for (const std::string& name : gone)
        if (on_gone_)
            on_gone_(name);
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
