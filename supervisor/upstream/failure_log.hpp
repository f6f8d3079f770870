// What the requests that failed last have failed on, kept for those who ask later.
#pragma once

#include "supervisor/agent/message.hpp"
#include "supervisor/base/clock.hpp"
#include "supervisor/upstream/client_facts.hpp"
#include "supervisor/upstream/liveness.hpp"

#include <chrono>
#include <deque>
#include <string>
#include <vector>

namespace livesock {

/// What became of a request at one agent.
struct Attempt {
    std::string path;
    std::string label;
    AgentState state = AgentState::fresh; ///< of the agent, when the attempt had failed
    std::string outcome;                  ///< as in "it closed the connection"
    Duration took{};                      ///< since the request came
};

/// A request that got SSH_AGENT_FAILURE from us.
struct FailedRequest {
    RequestKind kind = RequestKind::other;
    std::chrono::system_clock::time_point at;
    ClientFacts client; ///< as it was then
    std::string cause;  ///< a sentence
    Duration waited{};
    std::vector<Attempt> attempts; ///< none where no agent could be asked
};

/// Keeps the last of them.
class FailureLog {
  public:
    static constexpr std::size_t most = 64;

    void add(FailedRequest request) {
        requests_.push_back(std::move(request));
        if (requests_.size() > most)
            requests_.pop_front();
    }
    /// The oldest first.
    const std::deque<FailedRequest>& requests() const { return requests_; }

  private:
    std::deque<FailedRequest> requests_;
};

} // namespace livesock
