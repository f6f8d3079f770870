// The search of a client's requests for the agent that serves them.
#pragma once

#include "supervisor/agent/message.hpp"
#include "supervisor/base/clock.hpp"
#include "supervisor/proxy/merged_list.hpp"
#include "supervisor/upstream/agent_pool.hpp"
#include "supervisor/upstream/failure_log.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// Whether requests can be sent to `agent`, which may be null.
[[nodiscard]] bool is_fit(const Candidate* agent);

/// Says who is asked next, and keeps account of who has been: for one request at a time of one
/// client. It connects to nobody.
class AgentSearch {
  public:
    explicit AgentSearch(AgentPool& agents)
        : agents_(agents) {}

    /// A new request. `key`: what a sign request is for; it stays valid while the request lasts.
    /// `merge`: all agents are one, so that each of them has a share in a list.
    void begin(RequestKind kind, std::string_view key, bool merge);
    TimePoint began_at() const { return began_at_; }
    /// The Candidate::id() of the agent that this client prefers; 0 for none.
    void prefer(std::uint64_t agent) { preferred_ = agent; }

    /// The best that has not been tried, null if there is none now. A sign request goes where its
    /// key is offered: when it is taken to another agent, and from the first where agents are
    /// merged.
    Candidate* next();
    /// Whether a connection to `agent` that is open already is the one for this request.
    bool is_right(const Candidate* agent) const;
    /// Whether another agent than this one, and not tried yet, is live and may serve in its place:
    /// none does for one that the user has pinned.
    bool has_other_live(const Candidate& agent) const;

    /// The agent cannot be connected to. How long to wait before it is tried again; nothing: it is
    /// not, for this request.
    std::optional<Duration> dial_failed(const Candidate& agent, const Error& error);
    /// What is left of that time.
    std::optional<Duration> pause_before(const Candidate& agent) const;

    /// Whether the agent with this Candidate::id() has not had its second try yet: it has it now.
    bool begin_second_try(std::uint64_t agent);

    /// An attempt that has failed, at the agent of `path`.
    struct Failure {
        const Candidate* agent = nullptr; ///< null if it has been forgotten
        std::string path;
        std::string outcome;        ///< as in "it closed the connection"
        bool was_sent = false;      ///< the agent may have acted on the request
        bool is_timeout = false;    ///< it was given the time that an answer may take
        bool may_try_again = false; ///< the agent is worth its second try
    };
    /// Whether the request may be taken to another agent.
    bool attempt_failed(const Failure& failure);

    /// Why the request has no answer: a sentence, empty while nothing has gone wrong.
    const std::string& cause() const { return cause_; }
    void set_cause(std::string cause) { cause_ = std::move(cause); }
    /// What became of it at each agent.
    std::vector<Attempt> take_log() { return std::move(log_); }

    /// Whether this is a list that all agents have a share in.
    bool is_merging() const { return merge_ && kind_ == RequestKind::list; }
    /// Takes the share of the agent at `path`; next() is the next one's.
    void take_share(std::uint64_t agent, const std::string& path, const Message& answer);
    /// Whether an agent has given its share of the list.
    bool has_share() const { return is_merging() && merged_->has_answers(); }
    std::string merged_list() const { return merged_->frame(); }

  private:
    Candidate* offering_agent() const;
    bool is_best(const Candidate* agent) const;
    void note(const Candidate& agent, const std::string& outcome);

    AgentPool& agents_;
    RequestKind kind_ = RequestKind::other;
    std::string_view key_;
    bool merge_ = false;
    std::uint64_t preferred_ = 0;
    TimePoint began_at_{};
    int attempts_ = 0;
    int timeouts_ = 0;              // of them: for want of an answer in time
    int second_tries_ = 0;          // of them: at an agent that was tried again
    std::uint64_t tried_twice_ = 0; // the agent of the last of these
    int dials_ = 0;
    std::uint64_t paused_ = 0; // the agent that is connected to again at resume_at_
    TimePoint resume_at_{};
    std::vector<std::string> tried_; // agents that failed this request, or have given their share
    std::string cause_;
    std::vector<Attempt> log_;
    std::unique_ptr<MergedList> merged_; // of this client's last list; null unless it was merged
};

} // namespace livesock
