#include "supervisor/proxy/proxy.hpp"

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

/// Memory is given back to the system when the last of so many clients has left.
constexpr std::size_t many_sessions = 32;

std::size_t descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
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
    bool is_taking = true;
    const ClientTaker noting = [&](int fd, std::span<const SessionBinding> bindings) {
        is_taking = take(fd, bindings);
        return is_taking;
    };
    for (auto next = sessions_.begin(); is_taking && next != sessions_.end(); ++next)
        next->first->give_to(noting);
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

/// The process at the other end; nothing if it may not be served.
std::optional<pid_t> Proxy::admitted(int client) const {
    int domain = AF_UNIX;
    socklen_t length = sizeof domain;
    ::getsockopt(client, SOL_SOCKET, SO_DOMAIN, &domain, &length);
    if (domain != AF_UNIX)
        return 0;
    const Result<Peer> peer = peer_of(client);
    if (peer && is_trusted_uid(peer->uid))
        return peer->pid;
    if (peer)
        log::warning("a process of uid {} (pid {}) connected to the agent socket: refused; see "
                     "that its directory has mode 0700",
                     peer->uid, peer->pid);
    return std::nullopt;
}

void Proxy::serve(UniqueFd client, std::vector<SessionBinding> bindings) {
    const std::optional<pid_t> pid = admitted(client.get());
    if (!pid)
        return;
    SessionHost& host = *this;
    auto session = std::make_unique<Session>(host, std::move(client), *pid);
    Session& serving = *session;
    sessions_.emplace(&serving, std::move(session));
    if (*pid == 0)
        remote_.insert(&serving);
    most_sessions_ = std::max(most_sessions_, sessions_.size());
    if (sessions_.size() == 1)
        stall_timer_.start(stall_interval);
    serving.resume(std::move(bindings));
}

std::vector<ClientUse> Proxy::uses() const {
    std::vector<ClientUse> uses;
    uses.reserve(sessions_.size());
    for (const auto& [session, owner] : sessions_)
        if (!session->is_closed())
            uses.push_back(session->use());
    std::sort(uses.begin(), uses.end(), [](const ClientUse& one, const ClientUse& other) {
        return std::pair(one.request.has_value(), one.since) >
               std::pair(other.request.has_value(), other.since);
    });
    return uses;
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
    for (Session* const session : closed_) {
        remote_.erase(session);
        sessions_.erase(session);
    }
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

void Proxy::follow_typing(Children& children) {
    if (!tmux_)
        tmux_ = std::make_unique<TmuxClients>(loop_, children, [this] {
            for (const auto& [session, owner] : sessions_)
                session->on_located();
        });
}

std::optional<std::uint64_t> Proxy::locate(Session& session, bool is_late) {
    const auto id_of = [&](const std::optional<Login>& login) {
        const Candidate* const agent = login ? agents_.find(*login) : nullptr;
        return agent != nullptr ? agent->id() : 0;
    };
    const ClientPlace& place = session.place();
    if (place.pane.empty() || !tmux_)
        return id_of(place.login);
    const Pane pane{place.socket, place.pane};
    const TmuxClients::Answer* answer = tmux_->known(pane);
    if (!is_late && (answer == nullptr || !tmux_->is_fresh(*answer))) {
        const bool is_asked = tmux_->ask(pane);
        answer = tmux_->known(pane);
        if (is_asked)
            return std::nullopt;
    }
    return answer != nullptr ? id_of(answer->login) : 0;
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

/// The next one may have waited for this one alone.
void Proxy::leave_queue(Session& session) {
    turns_.leave(session);
    give_turns_.trigger();
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

} // namespace livesock
