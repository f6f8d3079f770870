// The supervisor's part in signing over HTTP: the way to the agent, and what is told of it.
#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/daemon/supervisor.hpp"
#include "supervisor/signing/key_choice.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

AgentCounts count_agents(const AgentPool& agents) {
    AgentCounts counts;
    for (const auto& agent : agents.candidates())
        switch (agent->state()) {
        case AgentState::fresh:
            ++counts.fresh;
            break;
        case AgentState::live:
            ++counts.live;
            break;
        case AgentState::late:
            ++counts.late;
            break;
        case AgentState::hung:
            ++counts.hung;
            break;
        case AgentState::dead:
            ++counts.dead;
            break;
        }
    return counts;
}

/// The line of the key that would sign now; empty if that is not known.
std::string line_of_key(const SigningSettings& settings, const AgentPool& agents) {
    const Candidate* const agent = agents.selected();
    if (agent == nullptr)
        return {};
    const Identity* const identity = choose_key(agent->identities(), {}, settings.keys);
    return identity == nullptr ? std::string() : key_line(identity->blob);
}

} // namespace

/// One more client of the proxy: its turns, failover, policy and patience hold for it too.
Result<UniqueFd> Supervisor::open_agent() {
    Result<std::pair<UniqueFd, UniqueFd>> ends = connected_pair();
    if (!ends)
        return ends.error();
    proxy_->take_client(std::move(ends->second), {});
    return std::move(ends->first);
}

void Supervisor::make_signing() {
    signing_ = std::make_unique<SigningService>(
        loop_, [this] { return open_agent(); }, [this] { return count_agents(agents_); });
}

std::vector<SigningFacts> Supervisor::signing_facts() const {
    std::vector<SigningFacts> facts;
    if (!signing_)
        return facts;
    for (const SigningView& view : signing_->listeners())
        facts.push_back({.name = view.settings.name,
                         .listen = to_text(view.settings.listen),
                         .problem = view.problem,
                         .namespaces = view.settings.namespaces,
                         .keys = view.settings.keys,
                         .hosts = view.settings.access.hosts,
                         .token_file = view.settings.access.token_file,
                         .requires_token = view.settings.access.requires_token,
                         .public_key = line_of_key(view.settings, agents_),
                         .answered = view.metrics.good(),
                         .refused = view.metrics.refused(),
                         .signatures = view.metrics.signatures()});
    return facts;
}

Result<ClientTokens> Supervisor::client_tokens(const std::string& listener) {
    std::vector<std::string> files;
    const auto consider = [&](const std::string& name, const std::string& address,
                              const std::string& file) {
        const bool is_meant = listener.empty() || listener == name || listener == address;
        if (is_meant && !file.empty() && std::find(files.begin(), files.end(), file) == files.end())
            files.push_back(file);
    };
    for (const SigningSettings& settings : config_.signing)
        consider(settings.name, to_text(settings.listen), settings.access.token_file);
    for (const BrokerListenSettings& settings : config_.broker.listens)
        consider(settings.guest.name, settings.address, settings.token_file);
    if (files.size() == 1)
        return ClientTokens(files.front());
    if (files.size() > 1)
        return Error{"the listeners have several token files: say which with --listener"};
    return Error{fmt::format(
        "{} takes tokens: give it a 'token_file' in livesock.toml, and run "
        "'livesock reload'",
        listener.empty() ? "no listener" : fmt::format("no listener '{}'", escaped(listener, 64)))};
}

} // namespace livesock
