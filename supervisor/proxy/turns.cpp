#include "supervisor/proxy/turns.hpp"

namespace livesock {

void Turns::wait(Session& session, std::uint64_t agent) {
    const auto known = waits_for_.find(&session);
    if (known != waits_for_.end() && known->second.agent == agent)
        return;
    leave(session);
    Queue& queue = queues_[agent];
    waits_for_.emplace(&session, Place{agent, queue.insert(queue.end(), &session)});
}

void Turns::leave(Session& session) {
    const auto known = waits_for_.find(&session);
    if (known == waits_for_.end())
        return;
    const auto queue = queues_.find(known->second.agent);
    queue->second.erase(known->second.at);
    if (queue->second.empty())
        queues_.erase(queue);
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
