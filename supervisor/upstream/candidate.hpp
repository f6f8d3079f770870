// One agent that may be used: its socket, and the connection that keeps asking whether it lives.
#pragma once

#include "supervisor/agent/message_stream.hpp"
#include "supervisor/upstream/liveness.hpp"
#include "supervisor/upstream/login_watch.hpp"
#include "supervisor/upstream/naming.hpp"
#include "supervisor/upstream/origin_check.hpp"
#include "supervisor/upstream/route.hpp"
#include "supervisor/upstream/socket_file.hpp"
#include "supervisor/upstream/upstream_room.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace livesock {

/// How an agent became known.
enum class Origin {
    forwarded,  ///< sshd made its socket for a login
    configured, ///< it matches a glob of the configuration
    registered, ///< somebody named it
    fallback,   ///< it stands in while there is no other
    upstream,   ///< the user has said how it is reached
};

[[nodiscard]] std::string_view name_of(Origin origin);

/// What an agent that is reached by a route has beyond what others have.
struct RoutedAgent {
    std::unique_ptr<Route> route;
    std::size_t tier = 1;      ///< its place among the fallbacks, from 1; 0 if it is none
    std::string label;         ///< empty: as that of any other agent
    bool is_on_demand = false; ///< rests until wake(), for to ask it means to start it
    Origin origin = Origin::fallback;
    bool keeps_spare = false; ///< to connect takes a network's time: one is kept ready
    /// What carries requests may be there, and no agent behind it: only a list tells.
    bool is_far_side_apart = false;
};

/// Asks one agent for its identities when it appears, then every ProbeSettings::interval whether it
/// is there, and never again before it has answered: an agent that sleeps gets one question, whose
/// answer is the news that it woke.
///
/// The connection for the questions, the sentinel, stays open: its end is news of the agent's
/// death. Behind sshd it is a channel of the login's ssh, which does not end before all its
/// channels are closed: the logout would hang for ever. So it is closed, answered or not, when the
/// login's last process has ended; and where those cannot be followed, after every answer.
class Candidate {
  public:
    /// `on_news` is called whenever an answer has come or the state has changed; it must not
    /// destroy the candidate.
    Candidate(EventLoop& loop, const ProbeSettings& settings, std::size_t most_upstreams,
              SocketFile file, Origin origin, std::function<void()> on_news);
    /// An agent that is reached by `routed.route`; `name` serves as its path.
    Candidate(EventLoop& loop, const ProbeSettings& settings, std::size_t most_upstreams,
              const std::string& name, RoutedAgent routed, std::function<void()> on_news);

    /// Has `check`, which outlives this, say whether the agent leads back to us: before it is taken
    /// for live.
    void check_origin(const OriginCheck& check) { origin_check_ = &check; }
    /// The question of the check has come back.
    void found_leading_back();

    /// Begins to ask, or begins anew after death.
    void start();

    void apply(const ProbeSettings& settings);

    /// Asks nothing more and forgets what was answered, until wake(): nothing is known of it then,
    /// except that it is dead if it was.
    void rest();
    void wake();
    bool is_resting() const { return is_resting_; }

    /// Begins anew with the socket `file` of the same path, which somebody has made in place of the
    /// one it had. Without effect if that is the one it has, or while it is live.
    void renew(SocketFile file);

    /// Somebody has named this agent: it is kept whatever the configuration looks for.
    void keep() {
        if (origin_ == Origin::configured)
            origin_ = Origin::registered;
    }

    /// Asks now instead of at the next interval, unless a question is open.
    void ask();
    /// Asks for the identities (again).
    void refresh();
    /// Whether a question is open: its answer may still change what is reported here.
    bool is_asked() const { return liveness_.is_asked(); }

    /// A connection for a client's requests.
    struct Upstream {
        UniqueFd fd;
        bool was_spare = false; ///< opened some time ago: the agent may have closed it since
    };
    /// Counts as one of those that limit_upstreams() allows until disconnected(). Error::code is
    /// EBUSY where there are that many already, EAGAIN where nobody accepts; what says that nobody
    /// is there is taken for news and acted upon.
    Result<Upstream> connect();
    void disconnected();
    bool has_room() const { return room_.has_room(); }

    /// How many connections the agent may see: those of clients, the sentinel and the spare one. At
    /// least 2.
    void limit_upstreams(std::size_t most);

    /// Keeps no connection ready for the next client from now on.
    void keep_no_spare() { room_.keep_no_spare(); }

    /// Between these two a client's request is out there.
    void request_began() { room_.request_began(); }
    void request_ended();

    /// Between these two the agent may be waiting for its user's touch.
    void sign_began() { liveness_.sign_began(); }
    void sign_ended();
    /// Whether a request may have no answer because it waits for its user's touch.
    bool may_wait_for_person() const { return liveness_.is_signing(); }

    struct News {
        AgentState former_state;
        bool login_is_over; ///< connections that are not in use are to be closed
        bool is_told;       ///< it is dead, and was before, for the same reason
    };
    /// What has changed since this was called last.
    News take_news();

    /// Tells this candidate from every other, also from a later one of the same path.
    std::uint64_t id() const { return id_; }
    const std::string& path() const { return file_.path; }
    /// Its socket was renamed; what is open stays open.
    void listens_at(std::string socket) { socket_ = std::move(socket); }
    const SocketFile& file() const { return file_; }
    /// The name it was found by; path() is where that leads.
    const std::string& name() const { return file_.name; }
    /// Where others can connect to it as well: path(), unless a stand-in has that name; empty if
    /// there is no socket.
    const std::string& socket() const { return routed_.route ? routed_.route->socket() : socket_; }
    /// 0, or the agent's place among the fallbacks.
    std::size_t tier() const { return routed_.route ? routed_.tier : 0; }
    void set_tier(std::size_t tier) { routed_.tier = tier; }
    /// The user has said how it is reached: it is kept, dead or alive.
    bool is_wanted() const { return routed_.route != nullptr; }
    bool is_on_demand() const { return routed_.is_on_demand; }
    Origin origin() const { return origin_; }
    AgentState state() const { return liveness_.state(); }
    const Liveness& liveness() const { return liveness_; }
    /// Why the agent is dead; empty while it is not.
    const std::string& reason() const { return reason_; }
    /// When its socket was made, or when it came to life after it was dead.
    std::chrono::system_clock::time_point born() const { return file_.born; }
    /// What the route says of the connection that failed last; empty if there is nothing.
    std::string trouble() const { return routed_.route ? routed_.route->trouble() : ""; }
    const std::vector<Identity>& identities() const { return identities_; }
    bool offers(std::string_view blob) const;
    /// Whether it has told us the same identities as in `answer`, an SSH_AGENT_IDENTITIES_ANSWER.
    bool has_listed(const Message& answer) const { return listed_ == answer.contents(); }

    /// Whether a request may be sent to it before the one before is answered.
    bool may_be_asked_ahead() const { return may_be_asked_ahead_; }
    void ask_nothing_ahead() { may_be_asked_ahead_ = false; }
    pid_t pid() const { return naming_.pid(); }

    /// As for Naming.
    void ask_for_names(const HostNames& names) { naming_.ask(names); }
    const std::optional<Login>& login() const { return naming_.login(); }
    std::string client_name() const { return naming_.client_name(); }
    std::string label() const { return naming_.label(); }
    AgentNames names() const { return naming_.names(identities_); }

    /// An open connection to it keeps a login from ending, and we would not notice: the login is
    /// over already, or cannot be followed. One that is not in use is to be closed.
    bool holds_up_logout() const {
        return login_watch_ != nullptr && !login_watch_->is_following();
    }

    /// Nobody listens at this path and nobody will: the agent may be forgotten.
    bool is_gone() const { return is_gone_; }

  private:
    enum class Question { none, identities, query, origin };

    static constexpr std::chrono::seconds first_pause{1};
    static constexpr std::chrono::seconds last_pause{30};

    Result<AgentConnection> reach();
    void dial();
    void begin(AgentConnection connection);
    void watch_listener(pid_t pid);
    void on_listener_end();
    void on_login_over();
    Question next_question() const;
    void dial_failed(const Error& error);
    std::string frame_of(Question question) const;
    void send(Question question);
    void on_answer(const Message& answer);
    bool take_identities(const Message& answer);
    bool may_lead_back() const;
    void on_end(MessageStream::End end);
    void redial();
    void redial_after(Duration delay);
    void back_off();
    bool is_connected() const { return sentinel_ && sentinel_->is_open(); }
    void on_timer();
    void schedule();
    Duration until_next_question() const;
    void die(std::string reason);
    Duration pause_after_death();
    std::string why_unanswered() const;
    bool wants_spare() const;
    void prepare_spare();
    void tell_change_from(AgentState before);

    EventLoop& loop_;
    ProbeSettings settings_;
    SocketFile file_;
    std::string socket_;
    Origin origin_;
    RoutedAgent routed_; // without a route unless that is what this is
    std::function<void()> on_news_;
    Liveness liveness_;
    std::unique_ptr<MessageStream> sentinel_;
    UniqueFd listener_; // pidfd of the sshd process behind the socket
    Watch listener_ended_;
    std::unique_ptr<LoginWatch> login_watch_; // null unless sshd is behind the socket
    UpstreamRoom room_;
    Watch prepare_spare_;
    std::uint64_t id_;
    Watch timer_;
    Question question_ = Question::none;
    Duration redial_delay_{};
    Duration next_pause_ = first_pause; // before an upstream is dialled again
    TimePoint begun_{};                 // when the present sentinel was opened
    int short_lives_ = 0;               // sentinels in a row that ended soon after their answer
    bool answered_here_ = false;        // on the present sentinel
    const OriginCheck* origin_check_ = nullptr;
    bool is_origin_known_ = false;
    std::uint64_t requests_before_ = 0; // that clients had sent when it was asked
    bool knows_query_ = true;           // else it hangs up on it: ask for identities instead
    bool identities_wanted_ = true;
    bool awaits_redial_ = false; // the timer is set to dial again
    bool is_resting_ = false;
    bool is_gone_ = false;
    bool has_died_ = false;      // since it answered last
    bool login_is_over_ = false; // and that has not been told
    AgentState told_state_ = AgentState::fresh;
    std::vector<Identity> identities_;
    std::string listed_; // the contents of the message that had them
    bool may_be_asked_ahead_ = true;
    std::string reason_;
    std::string told_reason_;
    Naming naming_;
};

} // namespace livesock
