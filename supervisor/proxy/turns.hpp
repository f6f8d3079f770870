// The order in which clients get a connection to an agent that has no room for all of them.
#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

namespace livesock {

class Session;

/// One queue for each agent, by Candidate::id(); a session is in one of them at most.
class Turns {
  public:
    /// Puts `session` behind all others that wait for `agent`. Without effect if it is among them.
    void wait(Session& session, std::uint64_t agent);
    /// `session` waits no longer, for any agent.
    void leave(Session& session);

    /// Who is next at `agent`, null if nobody waits for it.
    Session* next(std::uint64_t agent) const;
    /// The agents for which somebody waits.
    std::vector<std::uint64_t> agents() const;

  private:
    using Queue = std::list<Session*>;
    struct Place {
        std::uint64_t agent = 0;
        Queue::iterator at;
    };

    std::unordered_map<std::uint64_t, Queue> queues_;
    std::unordered_map<Session*, Place> waits_for_;
};

} // namespace livesock
