#include "supervisor/proxy/session.hpp"

#include "supervisor/agent/wire.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/proxy/failover.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// An agent that has not answered a request for so long is asked whether it lives, on its sentinel:
/// what comes of that (late, hung, dead) decides about the request, not impatience.
constexpr auto doubt_after = 200ms;

/// An agent whose backlog is full is dialled so many times in all, after pauses that double.
constexpr int most_dials = 4;
constexpr auto first_dial_pause = 200ms;

/// A client that keeps us keeps a connection that holds up a logout no longer than this.
constexpr auto longest_idle_channel = 1s;

/// From this round trip on it is worth asking for the identities before the client does.
constexpr auto far_round_trip = 5ms;

/// OpenSSH's agent takes no more than this either (AGENT_MAX_SESSION_IDS).
constexpr std::size_t most_bindings = 16;

/// One is some 500 bytes; it is kept for as long as its client stays.
constexpr std::size_t longest_binding = 16 * 1024;

/// A buffer that held a request longer than this is given back.
constexpr std::size_t kept_capacity = 4096;

bool is_fit(const Candidate* agent) {
    return agent != nullptr &&
           (agent->state() == AgentState::live || agent->state() == AgentState::late);
}

} // namespace

Session::Session(SessionHost& host, UniqueFd client, pid_t pid)
    : host_(host)
    , client_(host.loop(), std::move(client),
              {.message = [this](const Message& request) { on_request(request); },
               .end = [this](MessageStream::End end) { on_client_end(end); },
               .drained = [this] { on_client_drained(); }})
    , client_pid_(pid) {}

Session::~Session() {
    leave_queue();
    end_request();
    drop_upstream();
}

void Session::start() {
    client_.read_ahead();
    client_.start();
}

void Session::resume(std::vector<SessionBinding> bindings) {
    bindings_ = std::move(bindings);
    start();
}

bool Session::give_to(const ClientTaker& take) {
    if (state_ != State::idle || !client_.is_quiet() || !take(client_.fd(), bindings_))
        return false;
    close();
    return true;
}

// The client's side.

void Session::on_request(const Message& request) {
    client_.hold();
    retired_.clear();
    request_ = request.frame();
    kind_ = kind_of(request);
    attempts_ = 0;
    timeouts_ = 0;
    second_tries_ = 0;
    tried_twice_ = 0;
    dials_ = 0;
    tried_.clear();
    cause_.clear();
    log_.clear();
    wait_told_ = false;
    came_at_ = Clock::now();
    if (!timer_)
        timer_ = host_.loop().timer([this] { on_timer(); });
    is_merging_ = host_.settings().merge && kind_ == RequestKind::list;
    if (is_merging_)
        merged_ = std::make_unique<MergedList>();
    if (host_.refuse(request, client_pid_)) {
        state_ = State::refused;
        timer_.start(Duration::zero());
        return;
    }
    if (kind_ == RequestKind::session_bind && !may_be_bound()) {
        fail("its session-bind is one too many, or too long: it could not be repeated at another "
             "agent");
        return;
    }
    upstream_was_kept_ = upstream_ != nullptr;
    if (upstream_ && is_right(upstream_agent()))
        use_upstream();
    else
        begin_to_seek(host_.settings().grace);
}

void Session::on_client_end(MessageStream::End end) {
    if (end == MessageStream::End::half_closed &&
        (state_ != State::idle || !client_.is_drained())) {
        client_half_closed_ = true;
        return;
    }
    if (end == MessageStream::End::malformed)
        host_.client_refused("it sent what is not the agent protocol");
    close();
}

void Session::on_client_drained() {
    if (state_ == State::idle)
        await_request();
}

void Session::answer(std::string_view frame) {
    client_.send(frame);
    state_ = State::idle;
    limit_idleness();
    request_.clear();
    if (request_.capacity() > kept_capacity)
        request_.shrink_to_fit();
    if (client_.is_drained())
        await_request();
}

/// Gives the connection to the agent back, or sees to it that it will be if it is not used. One
/// that is bound is kept, unless somebody waits: another would have to be bound first.
void Session::limit_idleness() {
    timer_.pause();
    came_at_ = Clock::now();
    const Candidate* const agent = upstream_ ? upstream_agent() : nullptr;
    if (agent == nullptr)
        return;
    if (host_.is_awaited(upstream_id_))
        drop_upstream();
    else if (agent->holds_up_logout())
        timer_.start(longest_idle_channel);
    else if (!is_bound())
        timer_.start(host_.settings().upstream_idle);
}

/// Nothing is owed to the client: the next request may come, if one can.
void Session::await_request() {
    if (client_half_closed_)
        close();
    else
        client_.release();
}

void Session::fail(const std::string& cause) {
    leave_queue();
    host_.request_failed({.kind = kind_,
                          .at = std::chrono::system_clock::now(),
                          .pid = client_pid_,
                          .program = client_pid_ != 0 ? program_of(client_pid_) : std::string(),
                          .cause = cause,
                          .waited = Clock::now() - came_at_,
                          .attempts = std::move(log_)});
    note_binding(false);
    // A conversation that went wrong is not gone on with.
    drop_upstream();
    answer(failure_frame());
}

void Session::close_if_stalled_since(TimePoint limit) {
    const std::optional<TimePoint> stalled = client_.stalled_since();
    if (is_closed() || !stalled || *stalled > limit)
        return;
    host_.client_refused("it sent half a message, or did not read its answer, for too long");
    close();
}

void Session::on_shutdown() {
    if (state_ == State::refused || state_ == State::seeking || is_with_upstream())
        client_.send(failure_frame());
    if (!is_closed())
        close();
}

void Session::close() {
    state_ = State::closed;
    leave_queue();
    end_request();
    drop_upstream();
    timer_.pause();
    client_.close();
    host_.session_closed(*this);
}

// The way to an agent.

/// `grace`: how long the request may wait for an agent to appear.
void Session::begin_to_seek(Duration grace) {
    drop_upstream();
    state_ = State::seeking;
    deadline_ = Clock::now() + grace;
    seek();
}

void Session::seek() {
    while (Candidate* const agent = next_agent()) {
        if (!host_.has_turn(*this, *agent)) {
            wait_for_turn(*agent);
            return;
        }
        waits_for_turn_ = false;
        Result<Candidate::Upstream> upstream = agent->connect();
        if (upstream) {
            open_upstream(*agent, std::move(*upstream));
            return;
        }
        cause_ = upstream.error().message;
        note_attempt(*agent, cause_);
        const int code = upstream.error().code;
        const bool may_pass = code == EAGAIN || is_shortage(code);
        if (may_pass && ++dials_ < most_dials) {
            wait_to_seek(first_dial_pause * (1 << (dials_ - 1)));
            return;
        }
        tried_.push_back(agent->path());
    }
    if (waits_for_turn_) {
        // That agent is gone: from now on this waits for another to appear.
        leave_queue();
        cause_.clear();
        deadline_ = std::min(deadline_, Clock::now() + host_.settings().grace);
    }
    if (has_some()) {
        answer_merged();
        return;
    }
    if (cause_.empty())
        cause_ = "no agent is live: log in with ssh -A, or see livesock status";
    wait_to_seek(deadline_ - Clock::now());
}

/// The best that has not been tried. A sign request goes where its key is offered: when it is taken
/// to another agent, and from the first where agents are merged.
Candidate* Session::next_agent() {
    const std::string_view key =
        kind_ == RequestKind::sign ? signing_key(Message(request_)) : std::string_view();
    if (kind_ == RequestKind::sign && attempts_ == 0)
        if (Candidate* const offering = offering_agent(key))
            return offering;
    while (Candidate* const agent = host_.agents().best_except(tried_)) {
        // Those that are merged are peers: a fallback serves where there is nobody else.
        if (has_some() && (agent->state() != AgentState::live || agent->tier() > 0))
            return nullptr;
        if (kind_ != RequestKind::sign || attempts_ == 0 || agent->offers(key))
            return agent;
        tried_.push_back(agent->path());
    }
    return nullptr;
}

/// Where agents are merged: the one, not tried yet, that this client has seen to offer the key,
/// else one that is known to offer it.
Candidate* Session::offering_agent(std::string_view blob) const {
    if (!host_.settings().merge)
        return nullptr;
    const auto may_serve = [&](const Candidate* agent) {
        return is_fit(agent) &&
               std::find(tried_.begin(), tried_.end(), agent->path()) == tried_.end();
    };
    const std::optional<std::uint64_t> id = merged_ ? merged_->agent_of(blob) : std::nullopt;
    if (Candidate* const seen = id ? host_.agents().find(*id) : nullptr; may_serve(seen))
        return seen;
    std::vector<std::string> passed = tried_;
    while (Candidate* const agent = host_.agents().best_except(passed)) {
        if (agent->offers(blob) && (agent->tier() == 0 || agent == host_.agents().selected()))
            return agent;
        passed.push_back(agent->path());
    }
    return nullptr;
}

/// Any change among the agents ends the wait too.
void Session::wait_to_seek(Duration delay) {
    timer_.start(std::min<Duration>(delay, deadline_ - Clock::now()));
}

/// All connections that the agent may see are in use: as long as it would take for an answer.
void Session::wait_for_turn(const Candidate& agent) {
    if (!std::exchange(waits_for_turn_, true)) {
        deadline_ = std::max(deadline_, Clock::now() + answer_timeout());
        cause_ = fmt::format("all connections to the agent of {} were in use (proxy.max_upstreams)",
                             agent.label());
    }
    wait_to_seek(deadline_ - Clock::now());
}

void Session::leave_queue() {
    if (std::exchange(waits_for_turn_, false))
        host_.leave_queue(*this);
}

void Session::on_turn() {
    if (state_ == State::seeking)
        seek();
}

void Session::open_upstream(Candidate& agent, Candidate::Upstream upstream) {
    upstream_ = std::make_unique<MessageStream>(
        host_.loop(), std::move(upstream.fd),
        MessageStream::Callbacks{
            .message = [this](const Message& message) { on_upstream_message(message); },
            .end = [this](MessageStream::End) { on_upstream_end(); },
            .drained = [] {}});
    host_.upstream_opened();
    upstream_path_ = agent.path();
    upstream_id_ = agent.id();
    upstream_was_kept_ = upstream.was_spare;
    ahead_ = {};
    relies_on_ahead_ = false;
    bindings_done_ = 0;
    use_upstream();
    upstream_->start();
}

void Session::use_upstream() {
    if (Candidate* const agent = upstream_agent(); agent && !std::exchange(is_out_, true))
        agent->request_began();
    if (bindings_done_ < bindings_.size()) {
        state_ = State::binding;
        upstream_->send(bindings_[bindings_done_].frame);
        expect_answer(host_.settings().list_timeout);
        return;
    }
    state_ = State::asking;
    if (Candidate* const agent = upstream_agent(); agent && kind_ == RequestKind::sign) {
        agent->sign_began();
        is_signing_ = true;
    }
    send_request();
}

void Session::send_request() {
    if (const std::optional<std::string> answer = ahead_.take(Clock::now());
        answer && kind_ == RequestKind::list) {
        on_answer(Message(*answer));
        return;
    }
    relies_on_ahead_ = kind_ == RequestKind::list && ahead_.is_coming();
    if (!relies_on_ahead_)
        upstream_->send(request_);
    if (kind_ == RequestKind::session_bind)
        list_ahead();
    expect_answer(answer_timeout());
}

void Session::list_ahead() {
    const Candidate* const agent = upstream_agent();
    const Duration round_trip =
        agent != nullptr ? agent->liveness().round_trip().value_or(Duration()) : Duration();
    if (round_trip < far_round_trip || !ahead_.is_idle() || host_.settings().merge ||
        !agent->may_be_asked_ahead())
        return;
    upstream_->send(request_identities_frame());
    ahead_.asked();
}

Duration Session::answer_timeout() const {
    const bool waits_for_person = kind_ == RequestKind::sign || kind_ == RequestKind::other;
    return waits_for_person ? host_.settings().sign_timeout : host_.settings().list_timeout;
}

void Session::expect_answer(Duration timeout) {
    deadline_ = Clock::now() + timeout;
    timer_.start(std::min<Duration>(timeout, doubt_after));
}

void Session::on_timer() {
    const TimePoint now = Clock::now();
    switch (state_) {
    case State::refused:
        answer(failure_frame());
        break;
    case State::seeking:
        if (now < deadline_)
            seek();
        else if (has_some())
            answer_merged();
        else
            fail(cause_);
        break;
    case State::binding:
    case State::asking:
        if (now >= deadline_) {
            on_answer_overdue();
            break;
        }
        if (Candidate* const agent = upstream_agent())
            agent->ask();
        watch_answer();
        break;
    case State::idle:
        drop_upstream();
        break;
    case State::closed:
        break;
    }
}

/// Waits for what comes first: the deadline, or the moment to tell that a signature waits.
void Session::watch_answer() {
    const TimePoint now = Clock::now();
    const PolicySettings& policy = host_.settings().policy;
    Duration next = deadline_ - now;
    if (kind_ == RequestKind::sign && !policy.on_wait.empty() && !wait_told_) {
        const Duration left = came_at_ + policy.on_wait_after - now;
        if (left <= Duration::zero()) {
            wait_told_ = true;
            host_.sign_waits(signing_key(Message(request_)), client_pid_);
        } else {
            next = std::min(next, left);
        }
    }
    timer_.start(next);
}

/// Whoever waited for this long does not wait for another agent to appear. But an agent that takes
/// one message at a time has lost what was sent ahead: it is asked again, and never so again.
void Session::on_answer_overdue() {
    Candidate* const agent = upstream_agent();
    const bool lost_it = agent != nullptr && relies_on_ahead_ && tried_twice_ != upstream_id_;
    if (lost_it) {
        agent->ask_nothing_ahead();
        tried_twice_ = upstream_id_;
    }
    ++timeouts_;
    attempt_failed("it did not answer in time", Duration::zero(), lost_it);
}

// The upstream's side.

void Session::on_upstream_message(const Message& message) {
    const bool is_asking = state_ == State::asking;
    if (ahead_.takes(message, is_asking, is_asking && kind_ == RequestKind::list, Clock::now()))
        return;
    switch (state_) {
    case State::binding:
        on_binding_answer(message);
        break;
    case State::asking:
        on_answer(message);
        break;
    case State::idle:
    case State::refused:
    case State::seeking:
    case State::closed:
        // Nobody asked: whatever this connection carries, it is not our conversation.
        drop_upstream();
        break;
    }
}

void Session::on_binding_answer(const Message& answer) {
    const bool is_accepted = answer.type() == MessageType::success;
    if (bindings_[bindings_done_].was_accepted && !is_accepted) {
        attempt_failed("it refused this client's session-bind", Duration::zero());
        return;
    }
    bindings_[bindings_done_].was_accepted |= is_accepted;
    ++bindings_done_;
    use_upstream();
}

void Session::on_answer(const Message& message) {
    end_request();
    if (is_merging_) {
        take_merged(message);
        return;
    }
    note_binding(message.type() == MessageType::success);
    if (Candidate* const agent = upstream_agent())
        note_answer(*agent, message);
    host_.request_answered();
    answer_visible(message);
}

/// Answers the client, without the keys that the policy leaves out.
void Session::answer_visible(const Message& message) {
    const PolicySettings& policy = host_.settings().policy;
    if (policy.keys.empty() || message.type() != MessageType::identities_answer)
        answer(message.frame());
    else
        answer(allowed_identities(policy, message));
}

/// One agent's share of the list; the next one is asked for its own.
void Session::take_merged(const Message& message) {
    if (Candidate* const agent = upstream_agent())
        note_answer(*agent, message);
    merged_->add(upstream_id_, parse_identities(message).value_or(std::vector<Identity>()));
    tried_.push_back(upstream_path_);
    begin_to_seek(Duration::zero());
}

void Session::answer_merged() {
    host_.request_answered();
    answer_visible(Message(merged_->frame()));
}

/// Every later agent gets this client's bindings too, even one that no agent has accepted yet: a
/// connection that is not bound is one for local use, where constraints do not apply.
void Session::note_binding(bool was_accepted) {
    if (kind_ != RequestKind::session_bind || !may_be_bound())
        return;
    bindings_.push_back({request_, was_accepted});
    bindings_done_ = bindings_.size();
}

bool Session::may_be_bound() const {
    return bindings_.size() < most_bindings && request_.size() <= longest_binding;
}

/// Keeps what is known of the agent in step with what passes here.
void Session::note_answer(Candidate& agent, const Message& message) {
    // A bound connection is told of fewer keys, perhaps: that says nothing.
    if (kind_ == RequestKind::list && message.type() == MessageType::identities_answer &&
        !is_bound() && !agent.has_listed(message))
        agent.refresh();
    if (kind_ == RequestKind::other && message.type() == MessageType::success)
        agent.refresh();
}

void Session::on_upstream_end() {
    if (!is_with_upstream()) {
        drop_upstream();
        return;
    }
    // A connection that was kept may have been closed for its idleness alone: that agent is worth
    // another try, but only one, or a spare that closes again and again would go on for ever.
    const bool is_worth_another_try =
        upstream_was_kept_ && std::exchange(tried_twice_, upstream_id_) != upstream_id_;
    attempt_failed("it closed the connection", host_.settings().grace, is_worth_another_try);
}

void Session::attempt_failed(const std::string& outcome, Duration grace, bool agent_may_serve) {
    ++attempts_;
    cause_ = fmt::format("the agent of {} was asked: {}", upstream_label(), outcome);
    note_attempt(outcome);
    if (agent_may_serve)
        ++second_tries_;
    else
        tried_.push_back(upstream_path_);
    end_request();
    const bool was_sent = state_ == State::asking;
    const int agents = attempts_ - second_tries_;
    if (has_some() ||
        may_be_repeated(
            {.kind = kind_, .was_sent = was_sent, .attempts = agents, .timeouts = timeouts_})) {
        begin_to_seek(grace);
    } else {
        fail(cause_);
    }
}

void Session::on_agents_changed() {
    if (state_ == State::seeking) {
        seek();
        return;
    }
    if (!upstream_)
        return;
    const Candidate* const agent = upstream_agent();
    // One that is asked no more, for a better one is live, may end what it has begun.
    if (agent != nullptr && agent->is_resting() && agent->state() == AgentState::fresh &&
        is_with_upstream())
        return;
    if (!is_fit(agent)) {
        if (is_with_upstream())
            attempt_failed(agent != nullptr && agent->state() == AgentState::hung
                               ? "it does not answer"
                               : "it died",
                           host_.settings().grace);
        else
            drop_upstream();
        return;
    }
    if (!is_with_upstream() && agent->holds_up_logout()) {
        drop_upstream();
        return;
    }
    // A touch takes its time; whatever else a late agent has been asked, a live one can answer.
    if (agent->state() != AgentState::late || !is_with_upstream() || kind_ == RequestKind::sign ||
        kind_ == RequestKind::other)
        return;
    std::vector<std::string> passed = tried_;
    passed.push_back(upstream_path_);
    const Candidate* const other = host_.agents().best_except(passed);
    if (other != nullptr && other->state() == AgentState::live)
        attempt_failed("it does not answer", host_.settings().grace);
}

/// Whether the connection to `agent` that is open already is the one for this request.
bool Session::is_right(const Candidate* agent) const {
    if (!host_.settings().merge)
        return is_best(agent);
    if (kind_ == RequestKind::list)
        return false;
    if (kind_ == RequestKind::other)
        return agent == host_.agents().selected();
    const Candidate* const offering =
        kind_ == RequestKind::sign ? offering_agent(signing_key(Message(request_))) : nullptr;
    return offering != nullptr ? offering == agent : is_best(agent);
}

/// Whether a connection to `agent` that is open already is as good as any.
bool Session::is_best(const Candidate* agent) const {
    if (!is_fit(agent))
        return false;
    const Candidate* const selected = host_.agents().selected();
    // A fallback is left at once when there is another.
    if (selected != nullptr && selected->state() == AgentState::live &&
        selected->tier() < agent->tier())
        return false;
    return agent->state() == AgentState::live || selected == agent || selected == nullptr ||
           selected->state() != AgentState::live;
}

Candidate* Session::upstream_agent() const {
    return host_.agents().find(upstream_id_);
}

std::optional<TimePoint> Session::keeps_idle(std::uint64_t agent) const {
    const bool keeps = state_ == State::idle && upstream_ && upstream_id_ == agent;
    return keeps ? std::optional(came_at_) : std::nullopt;
}

/// At the agent of the present upstream.
void Session::note_attempt(const std::string& outcome) {
    if (const Candidate* const agent = upstream_agent())
        note_attempt(*agent, outcome);
    else
        log_.push_back({upstream_path_, escaped(upstream_path_), AgentState::dead, outcome,
                        Clock::now() - came_at_});
}

void Session::note_attempt(const Candidate& agent, const std::string& outcome) {
    log_.push_back({agent.path(), agent.label(), agent.state(), outcome, Clock::now() - came_at_});
}

std::string Session::upstream_label() const {
    const Candidate* const agent = upstream_agent();
    return agent != nullptr ? agent->label() : escaped(upstream_path_);
}

/// The upstream has the request no longer, however that ended.
void Session::end_request() {
    const bool was_out = std::exchange(is_out_, false);
    const bool was_signing = std::exchange(is_signing_, false);
    Candidate* const agent = was_out ? upstream_agent() : nullptr;
    if (agent == nullptr)
        return;
    if (was_signing)
        agent->sign_ended();
    agent->request_ended();
}

void Session::drop_upstream() {
    if (!upstream_)
        return;
    upstream_->close();
    host_.upstream_closed(upstream_id_);
    retired_.push_back(std::move(upstream_));
}

} // namespace livesock
