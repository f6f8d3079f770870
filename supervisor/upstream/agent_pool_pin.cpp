// The agent that the user prefers.
#include "supervisor/upstream/agent_pool.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

/// So many agents are named to who has named nobody.
constexpr std::size_t most_named = 8;

/// The end of the message for who has named nobody.
std::string known_names(const std::vector<AgentNames>& agents) {
    std::string known = agents.empty() ? "; there is none at all: 'livesock status'" : "";
    for (std::size_t i = 0; i < std::min(agents.size(), most_named); ++i)
        known +=
            fmt::format("{}'{}'", i == 0 ? "; there are " : ", ", escaped(agents[i].label, 64));
    return known;
}

} // namespace

/// Those that fit exactly, if one of them can be used; else those from the same client, too.
void AgentPool::find_pinned() {
    pinned_.clear();
    if (pin_.word.empty())
        return;
    std::vector<const Candidate*> of_client;
    bool is_usable = false;
    for (const auto& candidate : candidates_) {
        const Fit how = fit(pin_, candidate->names());
        if (how == Fit::client)
            of_client.push_back(candidate.get());
        if (how != Fit::exact)
            continue;
        pinned_.push_back(candidate.get());
        is_usable |= candidate->state() == AgentState::live || candidate->may_wait_for_person();
    }
    if (!is_usable)
        pinned_.insert(pinned_.end(), of_client.begin(), of_client.end());
}

Result<AgentPool::Choice> AgentPool::pin(const std::string& wanted) {
    std::vector<const Candidate*> agents;
    std::vector<AgentNames> names;
    for (const auto& candidate : candidates_) {
        if (candidate->state() == AgentState::dead)
            continue;
        agents.push_back(candidate.get());
        names.push_back(candidate->names());
    }
    const std::optional<Meaning> meant = meaning(names, wanted);
    if (!meant)
        return Error{fmt::format("no agent is called '{}'{}", escaped(wanted), known_names(names)),
                     ENOENT};
    Choice choice{.kind = meant->kind};
    std::size_t newest = meant->among.front();
    for (const std::size_t index : meant->among) {
        choice.among.push_back(names[index].label);
        if (agents[index]->born() >= agents[newest]->born())
            newest = index;
    }
    pin_ = pin_to(wanted, meant->kind, names[newest]);
    log::info("pinned: '{}'", escaped(wanted));
    select();
    note_change();
    return choice;
}

void AgentPool::unpin() {
    pin_ = {};
    select();
    note_change();
}

void AgentPool::restore_pin(const Pin& pin) {
    pin_ = pin;
    select();
    note_change();
}

bool AgentPool::is_pinned(const Candidate& candidate) const {
    return std::find(pinned_.begin(), pinned_.end(), &candidate) != pinned_.end();
}

} // namespace livesock
