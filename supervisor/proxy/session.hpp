// One client of the proxy, and its connection to an agent.
#pragma once

#include "supervisor/agent/message_stream.hpp"
#include "supervisor/proxy/agent_search.hpp"
#include "supervisor/proxy/session_bindings.hpp"
#include "supervisor/proxy/settings.hpp"
#include "supervisor/proxy/upstream_connection.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

class Session;

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
    /// An agent has answered the request that `session` has.
    virtual void request_answered(const Session& session) = 0;
    /// The client got SSH_AGENT_FAILURE from us.
    virtual void request_failed(FailedRequest request) = 0;
    /// Whether the policy refuses the request of the process `pid`; then that has been told.
    virtual bool refuse(const Message& request, pid_t pid) = 0;
    /// The Candidate::id() of the agent that the process of `session` prefers, 0 for none; nothing
    /// if that is not known yet: Session::on_located() is called when it is. If `is_late`, what was
    /// known last has to do.
    virtual std::optional<std::uint64_t> locate(Session& session, bool is_late) = 0;
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

    /// It may be known now which agent its client prefers.
    void on_located();
    /// Where its client was started, looked up once.
    const ClientPlace& place();

    /// What its client does.
    ClientUse use() const;

    bool is_closed() const { return state_ == State::closed; }

  private:
    enum class State {
        idle,    ///< no request: the client's turn
        refused, ///< the request is not for an agent; the client is told when others had their turn
        locating, ///< it is being found out which agent the client prefers
        seeking,  ///< a request waits for an agent that can be reached
        binding,  ///< the upstream connection is new: session-bind messages are repeated on it
        asking,   ///< the upstream has the request
        closed,   ///< over; the owner destroys this
    };
    void on_request(const Message& request);
    void on_client_end(MessageStream::End end);
    void on_client_drained();
    void answer(std::string_view frame);
    void limit_idleness();
    void await_request();
    void fail(const std::string& cause);
    void close();

    void go_to_agent();
    void begin_to_seek(Duration grace);
    void seek();
    void wait_to_seek(Duration delay);
    void wait_for_turn(const Candidate& agent);
    void leave_queue();
    Duration answer_timeout() const;
    void use_upstream();
    void expect_answer(Duration timeout);
    void on_timer();
    void on_answer_awaited();
    void on_answer_overdue();

    void list_ahead();
    void send_request();
    void on_upstream_message(const Message& message);
    void on_binding_answer(const Message& answer);
    void on_answer(const Message& message);
    void answer_visible(const Message& message);
    void answer_merged();
    void note_binding(bool was_accepted);
    void note_answer(Candidate& agent, const Message& message);
    void on_upstream_end();
    /// What has become of the request at the agent that was asked.
    struct Outcome {
        std::string text;
        Duration grace{};
        bool is_timeout = false;
        bool may_try_again = false;
    };
    void attempt_failed(const Outcome& outcome);
    void drop_upstream();
    bool is_with_upstream() const { return state_ == State::binding || state_ == State::asking; }

    SessionHost& host_;
    State state_ = State::idle;
    MessageStream client_;
    pid_t client_pid_;
    bool client_half_closed_ = false;
    std::unique_ptr<ClientPlace> place_; // null until somebody asks for it

    std::string request_; // the frame; empty while idle
    RequestKind kind_ = RequestKind::other;
    AgentSearch search_;
    TimePoint idle_since_{};      // while idle, if there was a request before
    bool waits_for_turn_ = false; // among those that wait for room at an agent
    TimePoint deadline_{};        // of the present state
    Watch timer_;                 // made with the first request
    bool wait_told_ = false;      // of this sign request

    UpstreamConnection upstream_;
    bool relies_on_ahead_ = false; // the client's list is not sent: the answer is on its way
    SessionBindings bindings_;
    bool is_unbindable_ = false; // a session-bind could not be kept: nothing is asked for it
};

} // namespace livesock
