// What a guest may have, and who signs for it.
#pragma once

#include "supervisor/agent/agent_conversation.hpp"
#include "supervisor/base/rate_limit.hpp"
#include "supervisor/broker/approver.hpp"
#include "supervisor/broker/audit_log.hpp"
#include "supervisor/broker/payload.hpp"
#include "supervisor/broker/settings.hpp"
#include "supervisor/loop/event_loop.hpp"
#include "supervisor/upstream/output_log.hpp"
#include "supervisor/upstream/route.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

namespace livesock {

/// So many requests of one guest, and of all, are under way at once.
inline constexpr std::size_t most_guest_jobs = 16;
inline constexpr std::size_t most_jobs = 128;

/// Where the signatures come from.
struct HostAgents {
    AgentDoor live;                       ///< whichever agent serves
    std::function<bool()> has_live;       ///< whether one does
    std::unique_ptr<Route> local;         ///< the keys of ~/.ssh
    std::function<Duration()> list_limit; ///< how long an agent may take
    std::function<Duration()> sign_limit;
};

/// Answers guests' requests: each gets a payload, an error if need be, and is written down.
class Host {
  public:
    using Id = std::uint64_t;
    using Reply = std::function<void(const std::string& payload)>;

    Host(EventLoop& loop, Children& children, HostAgents agents, std::string audit);
    ~Host();

    /// Tells the log what would prevent a signature, if anything does.
    void check_audit();
    /// From now on. What guests have used of their rates is forgotten.
    void apply(const BrokerSettings& settings, std::string audit);

    /// Answers by `reply`, within this call or from the loop, once. `needs_keys`: others can reach
    /// whom the guest has reached, so that nothing is given before the user has named the keys.
    Id handle(const GuestSettings& guest, bool needs_keys, GuestRequest request, Reply reply);
    /// Nobody waits for the answer any more: an approval that is asked for is withdrawn.
    void cancel(Id id);

    std::size_t jobs() const { return jobs_.size(); }

  private:
    struct Job;

    void begin(Job& job);
    bool is_refused(Job& job);
    void connect(Job& job);
    Result<UniqueFd> open(Job& job);
    void on_connected(Job& job, UniqueFd fd);
    void on_list(Job& job, const AgentAnswer& answer);
    void on_keys(Job& job, const std::vector<Identity>& identities);
    void approve(Job& job);
    void on_signature(Job& job, const AgentAnswer& answer);
    bool may_use(const Job& job, const std::string& key) const;
    void succeed(Job& job, const std::string& payload);
    void finish(Job& job, const std::string& payload);
    void deny(Job& job, std::string_view code, const std::string& reason);
    void turn_away(Job& job, std::string_view code, const std::string& reason);
    void fail(Job& job, std::string_view code, const std::string& reason);
    Result<void> note(const Job& job, std::string_view result, const std::string& reason);
    void sweep();

    EventLoop& loop_;
    HostAgents agents_;
    BackendMode mode_ = BackendMode::automatic;
    Approver approver_;
    AuditLog audit_;
    LineBudget lines_;
    LineBudget floods_;
    Id next_id_ = 1;
    std::map<std::string, RateLimit> rates_; // by the names that the user has given
    std::unordered_map<Id, std::unique_ptr<Job>> jobs_;
    Watch sweep_;
};

} // namespace livesock
