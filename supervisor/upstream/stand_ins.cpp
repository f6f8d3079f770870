#include "supervisor/upstream/stand_ins.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <poll.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;
using Outcome = HealOutcome::Result;

/// Who needs a stand-in, and whether anybody still does, is looked at this often.
constexpr auto look_again_after = 5min;

/// A process that executes another program has no environment for a moment: one scan that does not
/// see it is not believed.
constexpr int believed_absences = 2;

/// How long sshd may take to its end after it has removed its socket's name.
constexpr auto sshd_ends_within = 100ms;
constexpr int end_poll_milliseconds = 2;

/// From one state of a path to its last there are no more steps than this.
constexpr int most_steps = 4;

std::string users_text(const PathUsers& users) {
    if (users.named.empty())
        return "nobody";
    const SocketUser& first = users.named.front();
    const std::string who = fmt::format("{} (pid {})", first.program, first.pid);
    return users.count == 1 ? who : fmt::format("{} and {} more", who, users.count - 1);
}

} // namespace

std::string_view name_of(HealOutcome::Result result) {
    switch (result) {
    case Outcome::unchanged:
        return "unchanged";
    case Outcome::stood_in:
        return "stood_in";
    case Outcome::set_aside:
        return "set_aside";
    case Outcome::put_back:
        return "put_back";
    case Outcome::removed:
        return "removed";
    case Outcome::refused:
        return "refused";
    }
    return {};
}

StandIns::StandIns(EventLoop& loop, AgentPool& agents, StandInFiles files, StandInMode mode)
    : agents_(agents)
    , files_(std::move(files))
    , mode_(mode)
    , scanner_(
          loop,
          [this](std::string_view path) {
              return parse_forwarded(files_.places(), path).has_value();
          },
          [this](UsersByPath users) { on_scanned(std::move(users)); })
    , look_again_(loop.timer([this] { scanner_.request(); })) {
    agents_.before_choice([this] { put_live_back(); });
    agents_.on_change([this] { on_agents_changed(); });
}

void StandIns::start() {
    begin();
}

void StandIns::take_over() {
    for (ForwardedPath& path : files_.set_aside_now()) {
        const std::string name = path.path();
        const bool is_sshd = path.kind == PlaceKind::session || path.name.starts_with("s.");
        agents_.add_aside(name, StandInFiles::aside_path(path),
                          is_sshd ? Origin::forwarded : Origin::configured);
        if (agent_at(name) != nullptr)
            standing_[name] = {std::move(path), StandInReason::hung};
    }
    begin();
}

void StandIns::begin() {
    std::set<std::string> hung;
    for (const auto& [name, standing] : standing_)
        hung.insert(name);
    for (ForwardedPath& path : files_.recover(hung)) {
        log::info("the stand-in at '{}' was there before", escaped(path.path()));
        const std::string name = path.path();
        standing_[name] = {std::move(path), StandInReason::dead};
    }
    if (mode_ == StandInMode::off)
        withdraw();
    else
        scanner_.request();
}

void StandIns::apply(StandInMode mode) {
    if (std::exchange(mode_, mode) == mode)
        return;
    std::vector<ForwardedPath> paths;
    for (const auto& [name, standing] : standing_)
        paths.push_back(standing.path);
    for (const ForwardedPath& path : paths)
        settle(path);
    if (mode_ != StandInMode::off)
        scanner_.request();
}

void StandIns::withdraw() {
    const auto standing = standing_;
    for (const auto& [name, stand_in] : standing) {
        if (stand_in.reason == StandInReason::hung && !is_over(stand_in.path))
            put_back(stand_in.path);
        else
            remove(stand_in.path);
    }
}

/// Whether nothing is left of the agent at `path`, which is set aside. Where sshd has removed the
/// name it is about to end, and does not look there again: that is waited for, but not for long.
bool StandIns::is_over(const ForwardedPath& path) {
    const TimePoint deadline = Clock::now() + sshd_ends_within;
    while (!files_.drop_dead_aside(path)) {
        if (files_.is_standing(path) || Clock::now() >= deadline)
            return false;
        ::poll(nullptr, 0, end_poll_milliseconds);
    }
    return true;
}

void StandIns::retire() {
    mode_ = StandInMode::off;
    standing_.clear();
}

void StandIns::on_scanned(UsersByPath users) {
    users_ = std::move(users);
    std::erase_if(warned_, [this](const std::string& path) { return !users_.contains(path); });
    count_absences();
    std::set<std::string> paths;
    for (const auto& [path, referring] : users_)
        paths.insert(path);
    for (const auto& [path, standing] : standing_)
        paths.insert(path);
    if (mode_ == StandInMode::off)
        paths.clear();
    for (const std::string& path : paths)
        look_at(path);
    finish_heals();
    // A process may have begun with such a path since, from a tmux whose login is over.
    if (mode_ != StandInMode::off)
        look_again_.start(look_again_after);
}

void StandIns::count_absences() {
    for (auto& [path, standing] : standing_) {
        standing.absences = users_.contains(path) ? 0 : standing.absences + 1;
        if (standing.absences > 0 && standing.absences < believed_absences)
            scanner_.request();
    }
}

/// A hung agent's end is acted on at once: sshd may have removed the stand-in with it.
void StandIns::on_agents_changed() {
    std::vector<ForwardedPath> hung;
    for (const auto& [name, standing] : standing_)
        if (standing.reason == StandInReason::hung)
            hung.push_back(standing.path);
    for (const ForwardedPath& path : hung)
        settle(path);
    if (has_lost_agent() && mode_ != StandInMode::off)
        scanner_.request();
}

/// Whether an agent is hung or gone that was not when this was asked last.
bool StandIns::has_lost_agent() {
    std::map<std::string, bool> now;
    for (const auto& agent : agents_.candidates())
        if (agent->state() != AgentState::dead)
            now[agent->path()] = agent->state() == AgentState::hung;
    const bool has_lost =
        std::any_of(known_agents_.begin(), known_agents_.end(),
                    [&](const auto& known) { return !now.contains(known.first); }) ||
        std::any_of(now.begin(), now.end(), [&](const auto& agent) {
            const auto known = known_agents_.find(agent.first);
            return agent.second && (known == known_agents_.end() || !known->second);
        });
    known_agents_ = std::move(now);
    return has_lost;
}

void StandIns::put_live_back() {
    std::vector<ForwardedPath> awake;
    for (const auto& [name, standing] : standing_) {
        const Candidate* const agent = agent_at(name);
        if (standing.reason == StandInReason::hung && agent != nullptr &&
            agent->state() == AgentState::live)
            awake.push_back(standing.path);
    }
    for (const ForwardedPath& path : awake)
        put_back(path);
}

void StandIns::heal(std::vector<std::string> paths,
                    std::function<void(std::vector<HealOutcome>)> done) {
    heals_.push_back({std::move(paths), std::move(done), scanner_.is_scanning()});
    scanner_.request_now();
}

void StandIns::finish_heals() {
    std::vector<Heal> finished;
    for (Heal& heal : std::exchange(heals_, {}))
        (std::exchange(heal.awaits_next_scan, false) ? heals_ : finished)
            .push_back(std::move(heal));
    for (const Heal& heal : finished) {
        std::vector<std::string> paths = heal.paths;
        if (paths.empty())
            for (const auto& [path, referring] : users_)
                paths.push_back(path);
        std::vector<HealOutcome> outcomes;
        for (const std::string& path : paths)
            outcomes.push_back(look_at(path));
        heal.done(std::move(outcomes));
    }
}

HealOutcome StandIns::look_at(const std::string& path) {
    const auto parsed = parse_forwarded(files_.places(), path);
    if (!parsed)
        return {path, Outcome::refused,
                "it has not the shape of a forwarded agent's path: nothing is ever changed there"};
    return settle(*parsed);
}

/// Takes steps until none is left, and tells the last.
HealOutcome StandIns::settle(const ForwardedPath& path) {
    const std::string name = path.path();
    HealOutcome outcome{name, Outcome::unchanged, {}};
    forget_if_gone(path);
    for (int i = 0; i < most_steps; ++i) {
        const PathView view = view_of(name);
        const StandInStep step = next_step(mode_, view);
        if (step == StandInStep::none) {
            if (outcome.detail.empty())
                outcome.detail = why_nothing(view);
            break;
        }
        outcome = take(step, path);
        if (outcome.result == Outcome::refused || outcome.result == Outcome::unchanged)
            break;
    }
    return outcome;
}

/// Whoever cleans up in /tmp may have removed it.
void StandIns::forget_if_gone(const ForwardedPath& path) {
    const auto standing = standing_.find(path.path());
    if (standing != standing_.end() && standing->second.reason == StandInReason::dead &&
        !files_.is_standing(path))
        standing_.erase(standing);
}

HealOutcome StandIns::take(StandInStep step, const ForwardedPath& path) {
    switch (step) {
    case StandInStep::none:
        break;
    case StandInStep::stand_in:
        return stand_in(path);
    case StandInStep::set_aside:
        return set_aside(path);
    case StandInStep::put_back:
        return put_back(path);
    case StandInStep::bury:
        return bury(path);
    case StandInStep::remove:
        return remove(path);
    }
    return {path.path(), Outcome::unchanged, {}};
}

HealOutcome StandIns::stand_in(const ForwardedPath& path) {
    const std::string name = path.path();
    if (standing_.size() >= most_stand_ins)
        return refuse(name, fmt::format("there are {} stand-ins already: '{}' gets none; end "
                                        "processes that are not needed",
                                        most_stand_ins, escaped(name)));
    const auto made = files_.stand_in(path);
    if (!made)
        return refuse(name, made.error().message);
    if (*made == StandInFiles::Made::answers)
        return {name, Outcome::unchanged, "somebody listens there"};
    standing_[name] = {path, StandInReason::dead};
    log::info("nobody listens at '{}': a stand-in is there, for {}", escaped(name),
              users_text(users_of(name)));
    return {name, Outcome::stood_in, "nobody listened there: a stand-in leads to the live agent"};
}

HealOutcome StandIns::set_aside(const ForwardedPath& path) {
    const std::string name = path.path();
    Candidate* const agent = agent_at(name);
    // Another agent may have been made there since this one was asked.
    if (const Result<SocketFile> present = check_socket(name);
        present && !present->is_same(agent->file())) {
        agent->renew(*present);
        return {name, Outcome::unchanged, "another socket is there: its agent is asked"};
    }
    if (const Result<void> done = files_.set_aside(path); !done)
        return refuse(name, done.error().message);
    standing_[name] = {path, StandInReason::hung};
    agent->listens_at(StandInFiles::aside_path(path));
    log::info("the agent at '{}' hangs: its socket is '{}' meanwhile, and a stand-in is in its "
              "place, for {}",
              escaped(name), escaped(StandInFiles::aside_name(path)), users_text(users_of(name)));
    return {name, Outcome::set_aside,
            "its agent hangs: a stand-in leads to the live agent until "
            "it answers"};
}

HealOutcome StandIns::put_back(const ForwardedPath& path) {
    const std::string name = path.path();
    const Result<void> done = files_.put_back(path);
    if (!done && done.error().code != ENOENT)
        return refuse(name, done.error().message);
    standing_.erase(name);
    if (Candidate* const agent = agent_at(name))
        agent->listens_at(agent->path());
    if (done)
        log::info("the socket at '{}' has its name again", escaped(name));
    return {name, Outcome::put_back, "its agent's socket is there again"};
}

/// Where it is not the agent's end that was seen, its socket gets its name back.
HealOutcome StandIns::bury(const ForwardedPath& path) {
    const std::string name = path.path();
    if (!files_.drop_dead_aside(path))
        return put_back(path);
    log::info("the agent of '{}' has ended: its socket '{}' is removed", escaped(name),
              escaped(StandInFiles::aside_name(path)));
    if (Candidate* const agent = agent_at(name))
        agent->listens_at(agent->path());
    if (files_.is_standing(path))
        standing_[name].reason = StandInReason::dead;
    else
        standing_.erase(name);
    return {name, Outcome::stood_in, "its agent has ended: the stand-in stays"};
}

HealOutcome StandIns::remove(const ForwardedPath& path) {
    const std::string name = path.path();
    files_.remove(path);
    standing_.erase(name);
    log::info("the stand-in at '{}' is removed", escaped(name));
    return {name, Outcome::removed, "no running process refers to it: its stand-in is gone"};
}

HealOutcome StandIns::refuse(const std::string& path, const std::string& why) {
    if (warned_.insert(path).second)
        log::warning("no stand-in: {}", why);
    return {path, Outcome::refused, why};
}

std::string StandIns::why_nothing(const PathView& view) const {
    if (view.present)
        return *view.present == StandInReason::dead ? "a stand-in is there: nobody listened"
                                                    : "a stand-in is there: its agent hangs";
    if (view.agent && *view.agent != AgentState::dead && *view.agent != AgentState::hung)
        return fmt::format("its agent is {}", name_of(*view.agent));
    if (!view.is_referred)
        return "no running process has it as its SSH_AUTH_SOCK";
    return "the configuration says stand_in = " +
           std::string(mode_ == StandInMode::off ? "\"off\"" : "\"dead\"");
}

PathView StandIns::view_of(const std::string& path) const {
    PathView view;
    if (const Candidate* const agent = agent_at(path))
        view.agent = agent->state();
    view.is_referred = users_.contains(path);
    if (const auto standing = standing_.find(path); standing != standing_.end()) {
        view.present = standing->second.reason;
        view.is_referred = standing->second.absences < believed_absences;
    }
    return view;
}

Candidate* StandIns::agent_at(const std::string& path) const {
    for (const auto& agent : agents_.candidates())
        if (agent->path() == path || agent->name() == path)
            return agent.get();
    return nullptr;
}

std::vector<StandInView> StandIns::list() const {
    std::vector<StandInView> list;
    for (const auto& [path, standing] : standing_)
        list.push_back({path, standing.reason, users_of(path)});
    return list;
}

PathUsers StandIns::users_of(const std::string& path) const {
    const auto users = users_.find(path);
    return users != users_.end() ? users->second : PathUsers{};
}

} // namespace livesock
