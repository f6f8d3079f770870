#include "supervisor/proxy/proxy.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>

#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// Descriptors that are left free when clients are accepted: for upstreams of those that are in,
/// for the control socket, for candidates, for what discovery opens: an eighth, at most these.
constexpr std::size_t most_reserved_descriptors = 1024;

/// While we are full, accepting is tried again after this even if nobody has left.
constexpr auto full_pause = 250ms;

/// A client that leaves us with half a message, or does not read its answer, for so long is ended.
constexpr auto most_stall = 60s;
constexpr auto stall_interval = 30s;

/// One line in this time tells of failed requests, or of a pause; the others are counted.
constexpr auto telling_interval = 10s;

/// Memory is given back to the system when the last of so many clients has left.
constexpr std::size_t many_sessions = 32;

std::size_t descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

/// Whether it is time to tell something again that was last told at `told`; then it is told now.
bool may_tell(std::optional<TimePoint>& told) {
    const TimePoint now = Clock::now();
    if (told && now - *told < telling_interval)
        return false;
    told = now;
    return true;
}

} // namespace

Proxy::Proxy(EventLoop& loop, AgentPool& agents, ProxySettings settings, UniqueFd listener)
    : loop_(loop)
    , agents_(agents)
    , settings_(settings)
    , listener_(std::move(listener))
    , descriptor_limit_(descriptor_limit())
    , acceptable_(loop.on_readable(listener_.get(), [this] { accept_one(); }))
    , accept_again_(loop.timer([this] { resume_accepting(); }))
    , sweep_(loop.on_demand([this] { sweep(); }))
    , give_turns_(loop.on_demand([this] { give_turns(); }))
    , stall_timer_(loop.timer([this] { on_stall_timer(); })) {
    acceptable_.resume();
    agents_.on_change([this] { on_agents_changed(); });
}

void Proxy::apply(const ProxySettings& settings) {
    settings_ = settings;
    resume_accepting();
    give_turns_.trigger();
}

void Proxy::stop_accepting() {
    acceptable_.pause();
    accept_again_.pause();
    listener_.reset();
}

void Proxy::listen_on(UniqueFd listener) {
    while (!is_full()) {
        UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!client)
            break;
        serve(std::move(client));
    }
    acceptable_ = loop_.on_readable(listener.get(), [this] { accept_one(); });
    listener_ = std::move(listener);
    acceptable_.resume();
}

void Proxy::give_clients(const ClientTaker& take) {
    for (const auto& [session, owner] : sessions_)
        session->give_to(take);
}

void Proxy::take_client(UniqueFd client, std::vector<SessionBinding> bindings) {
    serve(std::move(client), std::move(bindings));
}

void Proxy::shut_down() {
    stop_accepting();
    for (const auto& [session, owner] : sessions_)
        session->on_shutdown();
}

bool Proxy::is_full() const {
    const std::size_t reserved = std::min(most_reserved_descriptors, descriptor_limit_ / 8);
    return sessions_.size() >= settings_.max_clients ||
           sessions_.size() + upstreams_ + reserved >= descriptor_limit_;
}

/// One a turn: those that are connected get theirs, and no call is spent on finding out that there
/// is no further one.
void Proxy::accept_one() {
    if (is_full()) {
        pause_accepting();
        return;
    }
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
        serve(std::move(client));
    } else if (is_shortage(errno)) {
        descriptor_limit_ = descriptor_limit();
        pause_accepting();
    }
}

void Proxy::serve(UniqueFd client, std::vector<SessionBinding> bindings) {
    const Result<Peer> peer = peer_of(client.get());
    if (!peer || !is_trusted_uid(peer->uid)) {
        if (peer)
            log::warning("a process of uid {} (pid {}) connected to the agent socket: refused; see "
                         "that its directory has mode 0700",
                         peer->uid, peer->pid);
        return;
    }
    SessionHost& host = *this;
    auto session = std::make_unique<Session>(host, std::move(client), peer->pid);
    Session& serving = *session;
    sessions_.emplace(&serving, std::move(session));
    most_sessions_ = std::max(most_sessions_, sessions_.size());
    if (sessions_.size() == 1)
        stall_timer_.start(stall_interval);
    serving.resume(std::move(bindings));
}

void Proxy::pause_accepting() {
    acceptable_.pause();
    accept_again_.start(full_pause);
    if (may_tell(pause_told_at_))
        log::warning("{} clients and {} connections to agents are open: further clients wait until "
                     "some have left (see proxy.max_clients and ulimit -n)",
                     sessions_.size(), upstreams_);
}

void Proxy::resume_accepting() {
    if (listener_)
        acceptable_.resume();
}

void Proxy::session_closed(Session& session) {
    closed_.push_back(&session);
    sweep_.trigger();
}

void Proxy::sweep() {
    for (Session* const session : closed_)
        sessions_.erase(session);
    closed_.clear();
    resume_accepting();
    if (!sessions_.empty())
        return;
    stall_timer_.pause();
    if (std::exchange(most_sessions_, 0) >= many_sessions)
        ::malloc_trim(0);
}

void Proxy::on_agents_changed() {
    for (const auto& [session, owner] : sessions_)
        session->on_agents_changed();
}

void Proxy::on_stall_timer() {
    const TimePoint limit = Clock::now() - most_stall;
    for (const auto& [session, owner] : sessions_)
        session->close_if_stalled_since(limit);
    stall_timer_.start(stall_interval);
}

std::optional<std::string> Proxy::rule_against(const Message& request, pid_t pid) const {
    if (!settings_.policy.restricts())
        return std::nullopt;
    std::vector<Identity> identities;
    if (!settings_.policy.keys.empty() && kind_of(request) == RequestKind::sign)
        for (const auto& agent : agents_.candidates())
            identities.insert(identities.end(), agent->identities().begin(),
                              agent->identities().end());
    return refused_by(settings_.policy, request, identities, pid);
}

bool Proxy::refuse(const Message& request, pid_t pid) {
    const std::optional<std::string> rule = rule_against(request, pid);
    if (!rule)
        return false;
    const std::string program = pid != 0 ? program_of(pid) : std::string();
    const RequestKind kind = kind_of(request);
    log::info("a {} request of '{}' (pid {}) is refused: {}", name_of(kind), program, pid, *rule);
    ++statistics_.failed;
    failures_.add({.kind = kind,
                   .at = std::chrono::system_clock::now(),
                   .pid = pid,
                   .program = program,
                   .cause = "it is refused by " + *rule,
                   .waited = {},
                   .attempts = {}});
    return true;
}

void Proxy::sign_waits(std::string_view blob, pid_t pid) {
    WaitingSign sign{.key = blob.empty() ? std::string() : fingerprint(blob),
                     .comment = {},
                     .program = pid != 0 ? program_of(pid) : std::string(),
                     .pid = pid};
    for (const auto& agent : agents_.candidates())
        for (const Identity& identity : agent->identities())
            if (identity.blob == blob)
                sign.comment = escaped(identity.comment);
    if (on_wait_)
        on_wait_(sign);
}

bool Proxy::has_turn(Session& session, Candidate& agent) {
    const Session* const next = turns_.next(agent.id());
    const bool is_next = next == nullptr || next == &session;
    if (is_next && (agent.has_room() || make_room(agent))) {
        turns_.leave(session);
        return true;
    }
    turns_.wait(session, agent.id());
    return false;
}

/// Takes a connection that is not in use from another client: the one that has been idle for
/// longest, one that is bound only if all are.
bool Proxy::make_room(Candidate& agent) {
    Session* best = nullptr;
    std::pair<bool, TimePoint> best_rank;
    for (const auto& [session, owner] : sessions_) {
        const std::optional<TimePoint> since = session->keeps_idle(agent.id());
        if (!since)
            continue;
        const std::pair rank(session->is_bound(), *since);
        if (best == nullptr || rank < best_rank) {
            best = session;
            best_rank = rank;
        }
    }
    if (best != nullptr)
        best->give_back();
    return agent.has_room();
}

void Proxy::upstream_closed(std::uint64_t agent) {
    --upstreams_;
    if (Candidate* const candidate = agents_.find(agent))
        candidate->disconnected();
    give_turns_.trigger();
}

void Proxy::give_turns() {
    for (const std::uint64_t agent : turns_.agents())
        while (Session* const next = turns_.next(agent)) {
            const Candidate* const candidate = agents_.find(agent);
            if (candidate != nullptr && !candidate->has_room())
                break;
            next->on_turn();
            if (turns_.next(agent) == next)
                break;
        }
}

bool Proxy::may_tell_failure() {
    if (!may_tell(failure_told_at_)) {
        ++failures_untold_;
        return false;
    }
    if (const auto untold = std::exchange(failures_untold_, 0); untold > 0)
        log::warning("{} more requests failed, or clients were refused, meanwhile", untold);
    return true;
}

void Proxy::client_refused(const std::string& cause) {
    if (may_tell_failure())
        log::warning("a client is disconnected: {}", cause);
}

void Proxy::request_failed(FailedRequest request) {
    ++statistics_.failed;
    if (may_tell_failure())
        log::warning("a {} request is answered with a failure: {}", name_of(request.kind),
                     request.cause);
    failures_.add(std::move(request));
}

} // namespace livesock
