// The agent's side of a Session: the way to an agent, and what it answers.
#include "supervisor/proxy/session.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// An agent that has not answered a request for so long is asked whether it lives, on its sentinel:
/// what comes of that (late, hung, dead) decides about the request, not impatience.
constexpr auto doubt_after = 200ms;

/// From this round trip on it is worth asking for the identities before the client does.
constexpr auto far_round_trip = 5ms;

/// A bound connection is told of fewer keys, perhaps: that says nothing. But one key more does.
bool has_unknown(const Candidate& agent, const Message& list) {
    const auto identities = parse_identities(list).value_or(std::vector<Identity>());
    return std::any_of(identities.begin(), identities.end(),
                       [&](const Identity& identity) { return !agent.offers(identity.blob); });
}

} // namespace

/// `grace`: how long the request may wait for an agent to appear.
void Session::begin_to_seek(Duration grace) {
    drop_upstream();
    state_ = State::seeking;
    deadline_ = Clock::now() + grace;
    seek();
}

void Session::seek() {
    while (Candidate* const agent = search_.next()) {
        if (!host_.has_turn(*this, *agent)) {
            wait_for_turn(*agent);
            return;
        }
        if (std::exchange(waits_for_turn_, false))
            deadline_ = std::min(deadline_, Clock::now() + host_.settings().grace);
        // Changes among the agents must not use up the tries.
        if (const auto pause = search_.pause_before(*agent)) {
            wait_to_seek(*pause);
            return;
        }
        Result<Candidate::Upstream> upstream = agent->connect();
        if (upstream) {
            upstream_.open(*agent, std::move(*upstream));
            host_.upstream_opened();
            bindings_.begin_connection();
            use_upstream();
            upstream_.start();
            return;
        }
        if (const auto pause = search_.dial_failed(*agent, upstream.error())) {
            wait_to_seek(*pause);
            return;
        }
    }
    if (waits_for_turn_) {
        // That agent is gone: from now on this waits for another to appear.
        leave_queue();
        search_.set_cause({});
        deadline_ = std::min(deadline_, Clock::now() + host_.settings().grace);
    }
    if (search_.has_share()) {
        answer_merged();
        return;
    }
    if (search_.cause().empty())
        search_.set_cause("no agent is live: log in with ssh -A, or see livesock status");
    wait_to_seek(deadline_ - Clock::now());
}

/// Any change among the agents ends the wait too.
void Session::wait_to_seek(Duration delay) {
    timer_.start(std::min<Duration>(delay, deadline_ - Clock::now()));
}

/// All connections that the agent may see are in use: as long as it would take for an answer.
void Session::wait_for_turn(const Candidate& agent) {
    if (!std::exchange(waits_for_turn_, true)) {
        deadline_ = std::max(deadline_, Clock::now() + answer_timeout());
        search_.set_cause(fmt::format(
            "all connections to the agent of {} were in use (proxy.max_upstreams)", agent.label()));
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

void Session::use_upstream() {
    upstream_.request_began();
    if (const std::string* const binding = bindings_.next()) {
        state_ = State::binding;
        upstream_.send(*binding);
        expect_answer(host_.settings().list_timeout);
        return;
    }
    state_ = State::asking;
    if (kind_ == RequestKind::sign)
        upstream_.sign_began();
    send_request();
}

void Session::send_request() {
    relies_on_ahead_ = false;
    if (const std::optional<std::string> answer = upstream_.ahead().take(Clock::now());
        answer && kind_ == RequestKind::list) {
        on_answer(Message(*answer));
        return;
    }
    relies_on_ahead_ = kind_ == RequestKind::list && upstream_.ahead().is_coming();
    if (!relies_on_ahead_)
        upstream_.send(request_);
    if (kind_ == RequestKind::session_bind)
        list_ahead();
    expect_answer(answer_timeout());
}

void Session::list_ahead() {
    const Candidate* const agent = upstream_.agent();
    const Duration round_trip =
        agent != nullptr ? agent->liveness().round_trip().value_or(Duration()) : Duration();
    if (round_trip < far_round_trip || !upstream_.ahead().is_idle() || host_.settings().merge ||
        !agent->may_be_asked_ahead())
        return;
    upstream_.send(request_identities_frame());
    upstream_.ahead().asked();
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
        if (search_.cause().empty())
            answer(failure_frame());
        else
            fail(search_.cause());
        break;
    case State::locating:
        search_.prefer(host_.locate(*this, true).value_or(0));
        go_to_agent();
        break;
    case State::seeking:
        if (now < deadline_)
            seek();
        else if (search_.has_share())
            answer_merged();
        else
            fail(search_.cause());
        break;
    case State::binding:
    case State::asking:
        if (now >= deadline_)
            on_answer_overdue();
        else
            on_answer_awaited();
        break;
    case State::idle:
        drop_upstream();
        break;
    case State::closed:
        break;
    }
}

/// Has the agent asked whether it lives, and waits on for what comes first: the deadline, or the
/// moment to tell that a signature waits.
void Session::on_answer_awaited() {
    if (Candidate* const agent = upstream_.agent())
        agent->ask();
    const TimePoint now = Clock::now();
    const PolicySettings& policy = host_.settings().policy;
    Duration next = deadline_ - now;
    if (kind_ == RequestKind::sign && !policy.on_wait.empty() && !wait_told_) {
        const Duration left = search_.began_at() + policy.on_wait_after - now;
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
/// one message at a time has lost what was sent ahead: it is asked again, and never so again. And
/// one that waits for its user's touch answers others later: unless there is a better one to go to.
void Session::on_answer_overdue() {
    Candidate* const agent = upstream_.agent();
    const TimePoint limit = search_.began_at() + host_.settings().sign_timeout;
    if (agent != nullptr && agent->may_wait_for_person() && Clock::now() < limit &&
        !search_.has_other_live(*agent)) {
        deadline_ = limit;
        on_answer_awaited();
        return;
    }
    const bool lost_it =
        agent != nullptr && relies_on_ahead_ && search_.begin_second_try(agent->id());
    if (lost_it)
        agent->ask_nothing_ahead();
    attempt_failed({.text = "it did not answer in time",
                    .grace = Duration::zero(),
                    .is_timeout = true,
                    .may_try_again = lost_it});
}

void Session::on_upstream_message(const Message& message) {
    const bool is_asking = state_ == State::asking;
    if (upstream_.ahead().takes(message, is_asking, is_asking && kind_ == RequestKind::list,
                                Clock::now()))
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
    case State::locating:
    case State::seeking:
    case State::closed:
        // Nobody asked: whatever this connection carries, it is not our conversation.
        drop_upstream();
        break;
    }
}

void Session::on_binding_answer(const Message& answer) {
    if (bindings_.take_answer(answer.type() == MessageType::success))
        use_upstream();
    else
        attempt_failed({.text = "it refused this client's session-bind"});
}

void Session::on_answer(const Message& message) {
    upstream_.request_ended();
    Candidate* const agent = upstream_.agent();
    if (agent != nullptr)
        note_answer(*agent, message);
    if (search_.is_merging()) {
        // One agent's share of the list; the next one is asked for its own.
        search_.take_share(upstream_.agent_id(), upstream_.agent_path(), message);
        begin_to_seek(Duration::zero());
        return;
    }
    note_binding(message.type() == MessageType::success);
    host_.request_answered(*this);
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

void Session::answer_merged() {
    leave_queue();
    host_.request_answered(*this);
    answer_visible(Message(search_.merged_list()));
}

void Session::note_binding(bool was_accepted) {
    if (kind_ == RequestKind::session_bind && bindings_.has_room_for(request_))
        bindings_.add(request_, was_accepted);
}

/// Keeps what is known of the agent in step with what passes here.
void Session::note_answer(Candidate& agent, const Message& message) {
    if (kind_ == RequestKind::list && message.type() == MessageType::identities_answer &&
        !agent.has_listed(message) && (!is_bound() || has_unknown(agent, message)))
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
        upstream_.was_kept() && search_.begin_second_try(upstream_.agent_id());
    attempt_failed({.text = "it closed the connection",
                    .grace = host_.settings().grace,
                    .may_try_again = is_worth_another_try});
}

void Session::attempt_failed(const Outcome& outcome) {
    const bool may_go_on = search_.attempt_failed({.agent = upstream_.agent(),
                                                   .path = upstream_.agent_path(),
                                                   .outcome = outcome.text,
                                                   .was_sent = state_ == State::asking,
                                                   .is_timeout = outcome.is_timeout,
                                                   .may_try_again = outcome.may_try_again});
    upstream_.request_ended();
    if (may_go_on)
        begin_to_seek(outcome.grace);
    else
        fail(search_.cause());
}

void Session::on_agents_changed() {
    if (state_ == State::seeking) {
        seek();
        return;
    }
    if (!upstream_.is_open())
        return;
    const Candidate* const agent = upstream_.agent();
    // One that is asked no more, for a better one is live, may end what it has begun.
    if (agent != nullptr && agent->is_resting() && agent->state() == AgentState::fresh &&
        is_with_upstream())
        return;
    if (!is_fit(agent)) {
        const bool is_hung = agent != nullptr && agent->state() == AgentState::hung;
        if (is_with_upstream())
            attempt_failed({.text = is_hung ? "it does not answer" : "it died",
                            .grace = host_.settings().grace});
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
    if (search_.has_other_live(*agent))
        attempt_failed({.text = "it does not answer", .grace = host_.settings().grace});
}

std::optional<TimePoint> Session::keeps_idle(std::uint64_t agent) const {
    const bool keeps =
        state_ == State::idle && upstream_.is_open() && upstream_.agent_id() == agent;
    return keeps ? std::optional(idle_since_) : std::nullopt;
}

void Session::drop_upstream() {
    if (!upstream_.is_open())
        return;
    upstream_.close();
    host_.upstream_closed(upstream_.agent_id());
}

} // namespace livesock
