#include "supervisor/upstream/fallbacks.hpp"

#include "supervisor/upstream/command_agent.hpp"
#include "supervisor/upstream/local_keys.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// Before the first command is started: at our start, and when a login replaces another, a
/// forwarded agent is about to answer.
constexpr auto first_pause = 100ms;

/// How long a fallback that is being asked holds up the one after it.
constexpr auto next_pause = 400ms;

} // namespace

Fallbacks::Fallbacks(EventLoop& loop, AgentPool& agents, Children& children,
                     std::string keys_socket, std::string home)
    : loop_(loop)
    , agents_(agents)
    , children_(children)
    , keys_socket_(std::move(keys_socket))
    , home_(std::move(home))
    , wake_(loop.timer([this] { wake_next(); })) {
    agents_.on_change([this] { on_agents_changed(); });
}

void Fallbacks::apply(const std::vector<FallbackSettings>& settings) {
    forget_all_but(settings);
    for (std::size_t i = 0; i < settings.size(); ++i) {
        const auto known = std::find_if(known_.begin(), known_.end(), [&](const Known& one) {
            return one.settings == settings[i];
        });
        if (known == known_.end())
            add(settings[i], i + 1);
        else
            agents_.find(known->name)->set_tier(i + 1);
    }
    on_agents_changed();
}

void Fallbacks::forget_all_but(const std::vector<FallbackSettings>& settings) {
    std::erase_if(known_, [&](const Known& known) {
        if (std::find(settings.begin(), settings.end(), known.settings) != settings.end())
            return false;
        agents_.forget_if(
            [&](const Candidate& agent) { return agent.tier() > 0 && agent.path() == known.name; });
        return true;
    });
    waking_ = nullptr;
}

void Fallbacks::add(const FallbackSettings& settings, std::size_t tier) {
    // It may have been found by a pattern before it was made a fallback.
    agents_.forget_if([&](const Candidate& agent) {
        return agent.tier() == 0 && is_same_file(agent.path(), settings.socket);
    });
    const std::string name = name_of(settings);
    agents_.add_routed(name, make(settings, name, tier));
    known_.push_back({settings, name});
}

/// What the fallback is found by where others have the path of their socket.
std::string Fallbacks::name_of(const FallbackSettings& settings) const {
    if (!settings.socket.empty())
        return settings.socket;
    if (settings.local_keys)
        return keys_socket_;
    const std::string name = "fallback:" + program_name(settings.command);
    std::string unique = name;
    for (int number = 2; agents_.find(unique) != nullptr; ++number)
        unique = fmt::format("{}#{}", name, number);
    return unique;
}

RoutedAgent Fallbacks::make(const FallbackSettings& settings, const std::string& name,
                            std::size_t tier) {
    if (!settings.socket.empty())
        return {.route = std::make_unique<SocketRoute>(settings.socket, agents_.own_sockets()),
                .tier = tier,
                .label = {},
                .is_on_demand = false};
    if (settings.local_keys)
        return {.route =
                    std::make_unique<LocalKeys>(loop_, children_, keys_socket_, home_ + "/.ssh"),
                .tier = tier,
                .label = "keys of ~/.ssh",
                .is_on_demand = false};
    return {.route = std::make_unique<CommandAgent>(loop_, children_, settings.command, name),
            .tier = tier,
            .label = "fallback: " + program_name(settings.command),
            .is_on_demand = true};
}

void Fallbacks::on_agents_changed() {
    for (const auto& agent : agents_.candidates())
        if (agent->is_on_demand() && !agent->is_resting() && !agents_.needs(*agent))
            agent->rest();
    const Candidate* const next = next_to_wake();
    if (next == waking_)
        return;
    waking_ = next;
    if (next == nullptr)
        wake_.pause();
    else
        wake_.start(is_one_asked_before(*next) ? next_pause : first_pause);
}

Candidate* Fallbacks::next_to_wake() const {
    Candidate* next = nullptr;
    for (const auto& agent : agents_.candidates())
        if (agent->is_resting() && agents_.needs(*agent) &&
            (next == nullptr || agent->tier() < next->tier()))
            next = agent.get();
    return next;
}

bool Fallbacks::is_one_asked_before(const Candidate& next) const {
    const auto agents = agents_.candidates();
    return std::any_of(agents.begin(), agents.end(), [&](const auto& agent) {
        return agent->tier() < next.tier() && agent->state() == AgentState::fresh &&
               !agent->is_resting();
    });
}

void Fallbacks::wake_next() {
    waking_ = nullptr;
    if (Candidate* const next = next_to_wake())
        next->wake();
    on_agents_changed();
}

} // namespace livesock
