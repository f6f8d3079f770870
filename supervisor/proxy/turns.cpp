#include "supervisor/proxy/turns.hpp"

namespace livesock {

void Turns::wait(Session& session, std::uint64_t agent) {
    const auto known = waits_for_.find(&session);
    if (known != waits_for_.end() && known->second == agent)
        return;
    leave(session);
    queues_[agent].push_back(&session);
    waits_for_.emplace(&session, agent);
}

void Turns::leave(Session& session) {
    const auto known = waits_for_.find(&session);
    if (known == waits_for_.end())
        return;
    std::list<Session*>& queue = queues_[known->second];
    std::erase(queue, &session);
    if (queue.empty())
        queues_.erase(known->second);
    waits_for_.erase(known);
}

Session* Turns::next(std::uint64_t agent) const {
    const auto queue = queues_.find(agent);
    return queue == queues_.end() ? nullptr : queue->second.front();
}

std::vector<std::uint64_t> Turns::agents() const {
    std::vector<std::uint64_t> agents;
    for (const auto& [agent, queue] : queues_)
        agents.push_back(agent);
    return agents;
}

} // namespace livesock
