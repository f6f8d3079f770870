// One client of the proxy, and its connection to an agent.
#pragma once

#include "supervisor/agent/message_stream.hpp"
#include "supervisor/proxy/list_ahead.hpp"
#include "supervisor/proxy/merged_list.hpp"
#include "supervisor/proxy/settings.hpp"
#include "supervisor/upstream/agent_pool.hpp"
#include "supervisor/upstream/failure_log.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

class Session;

/// A session-bind message of a client; it must fare with each agent as it did with the first.
struct SessionBinding {
    std::string frame;
    bool was_accepted = false;
};

/// Another process that may go on with a client: whether it has taken the socket (a duplicate).
using ClientTaker = std::function<bool(int fd, std::span<const SessionBinding> bindings)>;

/// What a Session needs from the one who owns it.
class SessionHost {
  public:
    virtual EventLoop& loop() = 0;
    virtual AgentPool& agents() = 0;
    virtual const ProxySettings& settings() const = 0;
    /// Called once, from within a callback of the session: destroy it later.
    virtual void session_closed(Session& session) = 0;
    /// A client broke the protocol and is closed: `cause` is a sentence for the log.
    virtual void client_refused(const std::string& cause) = 0;
    virtual void request_answered() = 0;
    /// The client got SSH_AGENT_FAILURE from us.
    virtual void request_failed(FailedRequest request) = 0;
    /// Whether the policy refuses the request of the process `pid`; then that has been told.
    virtual bool refuse(const Message& request, pid_t pid) = 0;
    /// A sign request for the key `blob` of the process `pid` has waited for policy.on_wait_after.
    virtual void sign_waits(std::string_view blob, pid_t pid) = 0;
    /// Whether `session` may connect to `agent` now. If not it is in the agent's queue, and
    /// Session::on_turn() is called when it is next and there is room.
    virtual bool has_turn(Session& session, Candidate& agent) = 0;
    /// Whether somebody waits for room at the candidate with the id `agent`.
    virtual bool is_awaited(std::uint64_t agent) = 0;
    /// `session` waits for no agent's room any more.
    virtual void leave_queue(Session& session) = 0;
    virtual void upstream_opened() = 0;
    /// The connection to the candidate with the id `agent` was closed.
    virtual void upstream_closed(std::uint64_t agent) = 0;

  protected:
    ~SessionHost() = default;
};

/// Relays a client's requests, one at a time and in order, to the agent that is selected when the
/// first comes. The connection to that agent is kept for the next ones for as long as the agent is
/// fit to be used; a new one gets the client's session-bind messages first. Where agents are merged
/// each request has its own. Every request is answered, if need be with SSH_AGENT_FAILURE.
class Session {
  public:
    /// `pid`: the client's, 0 if it is not known.
    Session(SessionHost& host, UniqueFd client, pid_t pid);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Serves the client from now on. What it has sent already is served within the call.
    void start();

    /// Goes on with a client of another process that has bound it so.
    void resume(std::vector<SessionBinding> bindings);

    /// Has `take` go on with the client, if nothing is owed to it and it owes nothing. If it does,
    /// the session closes.
    bool give_to(const ClientTaker& take);

    /// An agent, or the choice among them, has changed.
    void on_agents_changed();

    /// There may be room at the agent for which this session waits.
    void on_turn();

    /// Since when it has kept a connection to the candidate with the id `agent` without a request
    /// on it; nothing if it does not.
    std::optional<TimePoint> keeps_idle(std::uint64_t agent) const;
    bool is_bound() const { return !bindings_.empty(); }
    /// Gives up the connection that is kept without a request on it: the next one opens another.
    void give_back() { drop_upstream(); }

    /// The proxy ends: a request that is not answered yet gets SSH_AGENT_FAILURE.
    void on_shutdown();

    /// Ends a client that has sent half a message, or not read its answer, since before `limit`.
    void close_if_stalled_since(TimePoint limit);

    bool is_closed() const { return state_ == State::closed; }

  private:
    enum class State {
        idle,    ///< no request: the client's turn
        refused, ///< the policy refuses the request; the client is told when others had their turn
        seeking, ///< a request waits for an agent that can be reached
        binding, ///< the upstream connection is new: session-bind messages are repeated on it
        asking,  ///< the upstream has the request
        closed,  ///< over; the owner destroys this
    };
    void on_request(const Message& request);
    void on_client_end(MessageStream::End end);
    void on_client_drained();
    void answer(std::string_view frame);
    void limit_idleness();
    void await_request();
    void fail(const std::string& cause);
    void close();

    void begin_to_seek(Duration grace);
    void seek();
    Candidate* next_agent();
    Candidate* offering_agent(std::string_view blob) const;
    bool is_right(const Candidate* agent) const;
    void wait_to_seek(Duration delay);
    void wait_for_turn(const Candidate& agent);
    void leave_queue();
    void open_upstream(Candidate& agent, Candidate::Upstream upstream);
    Duration answer_timeout() const;
    void use_upstream();
    void expect_answer(Duration timeout);
    void on_timer();
    void on_answer_overdue();
    void watch_answer();

    void list_ahead();
    void send_request();
    void on_upstream_message(const Message& message);
    void on_binding_answer(const Message& answer);
    void on_answer(const Message& message);
    void answer_visible(const Message& message);
    bool has_some() const { return is_merging_ && merged_->has_answers(); }
    bool may_be_bound() const;
    void take_merged(const Message& message);
    void answer_merged();
    void note_binding(bool was_accepted);
    void note_answer(Candidate& agent, const Message& message);
    void on_upstream_end();
    void attempt_failed(const std::string& outcome, Duration grace, bool agent_may_serve = false);
    void note_attempt(const std::string& outcome);
    void note_attempt(const Candidate& agent, const std::string& outcome);
    void end_request();
    void drop_upstream();
    bool is_best(const Candidate* agent) const;
    Candidate* upstream_agent() const;
    std::string upstream_label() const;
    bool is_with_upstream() const { return state_ == State::binding || state_ == State::asking; }

    SessionHost& host_;
    State state_ = State::idle;
    MessageStream client_;
    pid_t client_pid_;
    bool client_half_closed_ = false;

    std::string request_; // the frame; empty while idle
    RequestKind kind_ = RequestKind::other;
    bool is_merging_ = false; // all agents are asked; merged_ has what has come
    int attempts_ = 0;
    int timeouts_ = 0;              ///< of them: for want of an answer in time
    int second_tries_ = 0;          ///< of them: at an agent whose kept connection had ended
    std::uint64_t tried_twice_ = 0; ///< the agent of the last of these
    int dials_ = 0;
    std::vector<std::string> tried_; // agents that failed this request
    std::string cause_;              // why the request is still seeking
    std::vector<Attempt> log_;       // of this request
    TimePoint came_at_{};            // the request; while idle, when the last one was answered
    bool waits_for_turn_ = false;    // among those that wait for room at an agent
    TimePoint deadline_{};           // of the present state
    Watch timer_;                    // made with the first request

    std::unique_ptr<MessageStream> upstream_;
    std::vector<std::unique_ptr<MessageStream>> retired_; // may be in a callback of theirs
    std::string upstream_path_;
    std::uint64_t upstream_id_ = 0;  // of the candidate
    bool upstream_was_kept_ = false; // opened before this request: it may have ended since
    bool is_out_ = false;            // the upstream has the request, or a binding before it
    bool is_signing_ = false;        // and it is a sign request
    bool wait_told_ = false;         // of this sign request
    ListAhead ahead_;                // on the present upstream
    bool relies_on_ahead_ = false;   // the client's list is not sent: the answer is on its way

    /// Of this client's last list; null unless agents were merged.
    std::unique_ptr<MergedList> merged_;

    std::vector<SessionBinding> bindings_;
    std::size_t bindings_done_ = 0; // on the present upstream
};

} // namespace livesock
