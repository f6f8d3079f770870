// The proxy at agent.sock: any number of clients at once, each served by a Session of its own.
#pragma once

#include "supervisor/base/unique_fd.hpp"
#include "supervisor/proxy/session.hpp"
#include "supervisor/proxy/turns.hpp"
#include "supervisor/proxy/wait_command.hpp"
#include "supervisor/upstream/request_log.hpp"
#include "supervisor/upstream/tmux_clients.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace livesock {

/// What the proxy has done since it started.
struct ProxyStatistics {
    std::uint64_t answered = 0; ///< requests that an agent answered
    std::uint64_t failed = 0;   ///< requests that got SSH_AGENT_FAILURE from us
};

/// Accepts clients of this user (and root) and relays their requests. Where descriptors run short,
/// or clients are too many, further ones wait in the socket's backlog until some have left.
class Proxy final : private SessionHost {
  public:
    /// `listener` listens already; it is non-blocking.
    Proxy(EventLoop& loop, AgentPool& agents, ProxySettings settings, UniqueFd listener);

    void apply(const ProxySettings& settings);

    /// Has tmux asked, by processes among `children`, who types (selection.policy).
    void follow_typing(Children& children);

    /// Calls `listener` when a sign request has waited for policy.on_wait_after.
    void on_wait(std::function<void(const WaitingSign&)> listener) {
        on_wait_ = std::move(listener);
    }

    /// Accepts nobody any more and takes leave of all clients.
    void shut_down();

    /// Accepts nobody any more; those who wait in the backlog are left to whoever else accepts from
    /// the same listening socket.
    void stop_accepting();
    /// Accepts from `listener` from now on, and serves who waits in the former one's backlog, which
    /// nobody can reach any more.
    void listen_on(UniqueFd listener);
    /// Has `take` go on with each client that can be given away at this moment.
    void give_clients(const ClientTaker& take);
    /// Serves a client that somebody else has accepted: another process, that gives it away, or a
    /// part of this one. Who is at the other end of what is no Unix socket they have found out.
    void take_client(UniqueFd client, std::vector<SessionBinding> bindings);

    /// Whether a further client from elsewhere than this machine can be served: they get a quarter
    /// of the room, and keep nobody here out.
    bool has_room_for_remote() const {
        return !is_full() && remote_.size() < std::max<std::size_t>(settings_.max_clients / 4, 1);
    }

    int listener() const { return listener_.get(); }

    std::size_t clients() const { return sessions_.size(); }
    /// What each client does, those with a request first, then those that had one last.
    std::vector<ClientUse> uses() const;
    const ProxyStatistics& statistics() const { return statistics_; }
    const FailureLog& failures() const { return failures_; }
    RequestLog& requests() { return requests_; }

  private:
    EventLoop& loop() override { return loop_; }
    AgentPool& agents() override { return agents_; }
    const ProxySettings& settings() const override { return settings_; }
    void session_closed(Session& session) override;
    void client_refused(const std::string& cause) override;
    void request_answered(const Session& session) override;
    void request_failed(FailedRequest request) override;
    bool refuse(const Message& request, pid_t pid) override;
    std::optional<std::uint64_t> locate(Session& session, bool is_late) override;
    void sign_waits(std::string_view blob, pid_t pid) override;
    bool has_turn(Session& session, Candidate& agent) override;
    bool is_awaited(std::uint64_t agent) override { return turns_.next(agent) != nullptr; }
    void leave_queue(Session& session) override;
    void upstream_opened() override { ++upstreams_; }
    void upstream_closed(std::uint64_t agent) override;

    void accept_one();
    std::optional<pid_t> admitted(int client) const;
    void serve(UniqueFd client, std::vector<SessionBinding> bindings = {});
    bool is_full() const;
    void pause_accepting();
    void resume_accepting();
    void on_agents_changed();
    void on_stall_timer();
    void sweep();
    std::optional<std::string> rule_against(const Message& request, pid_t pid) const;
    bool make_room(Candidate& agent);
    void give_turns();
    /// Whether it is time to tell something again that was last told at `told`; then it is told
    /// now.
    static bool may_tell(std::optional<TimePoint>& told);
    bool may_tell_failure();
    void note_failure(FailedRequest request, RequestEnd end);

    EventLoop& loop_;
    AgentPool& agents_;
    ProxySettings settings_;
    UniqueFd listener_;            // none after stop_accepting()
    std::size_t descriptor_limit_; // RLIMIT_NOFILE, as it was when last looked at
    std::size_t upstreams_ = 0;
    ProxyStatistics statistics_;
    FailureLog failures_;
    RequestLog requests_;
    std::unique_ptr<TmuxClients> tmux_; // null until follow_typing()
    std::function<void(const WaitingSign&)> on_wait_;
    Turns turns_;

    std::unordered_set<const Session*> remote_; // those whose client's process cannot be seen
    std::vector<Session*> closed_;
    std::size_t most_sessions_ = 0; // since memory was last given back
    Watch acceptable_;
    Watch accept_again_;
    Watch sweep_;
    Watch give_turns_;
    Watch stall_timer_;
    std::optional<TimePoint> pause_told_at_;
    std::optional<TimePoint> failure_told_at_;
    std::uint64_t failures_untold_ = 0;

    // The first to go: until they have gone, they use what stands above.
    std::unordered_map<Session*, std::unique_ptr<Session>> sessions_;
};

} // namespace livesock
