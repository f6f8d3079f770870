#include "supervisor/broker/agent_listener.hpp"

#include "supervisor/base/log.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/tcp_peer.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/http/address.hpp"

#include <algorithm>
#include <cerrno>
#include <map>

#include <fmt/format.h>
#include <sys/socket.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// While no further client can be served, or descriptors are short, that is looked at again.
constexpr auto full_pause = 250ms;

/// Who is at the other end, for people, and so that peers of one address can be told from others.
std::string address_of(int fd) {
    if (const std::optional<unsigned> cid = peer_cid(fd))
        return fmt::format("CID {}", *cid);
    const Result<TcpEnds> ends = ends_of(fd);
    if (!ends || (ends->peer.ss_family != AF_INET && ends->peer.ss_family != AF_INET6))
        return "this machine";
    const std::string text = to_text(ends->peer);
    return text.substr(0, text.rfind(':'));
}

/// Every user of this machine can connect to loopback.
Result<void> check_loopback_peer(int fd) {
    const Result<TcpEnds> ends = ends_of(fd);
    if (!ends)
        return ends.error();
    const std::optional<uid_t> uid = uid_of_peer(*ends);
    if (!uid)
        return Error{"it cannot be told whose process it is: give [[listen]] a token_file"};
    if (!is_trusted_uid(*uid))
        return Error{fmt::format("it is a process of uid {}", *uid), EPERM};
    return {};
}

std::string why_refused(TokenExchange::Outcome outcome) {
    switch (outcome) {
    case TokenExchange::Outcome::done:
        return {};
    case TokenExchange::Outcome::wrong:
        return "it does not know the token, or speaks something else: compare token_file on both "
               "machines";
    case TokenExchange::Outcome::ended:
        return "it left in the handshake: has its [[upstream]] the token_file?";
    case TokenExchange::Outcome::silent:
        return "it did not complete the handshake in time: has its [[upstream]] the token_file?";
    }
    return {};
}

} // namespace

struct AgentListener::Peer {
    UniqueFd fd;
    std::string address;
    std::unique_ptr<TokenExchange> exchange;
    bool is_over = false;
};

AgentListener::AgentListener(EventLoop& loop, ListenSettings settings, std::string token,
                             UniqueFd listener, Taker take, std::function<bool()> may_take)
    : loop_(loop)
    , settings_(std::move(settings))
    , token_(std::move(token))
    , listener_(std::move(listener))
    , take_(std::move(take))
    , may_take_(std::move(may_take))
    , acceptable_(loop.on_readable(listener_.get(), [this] { accept(); }))
    , again_(loop.timer([this] { acceptable_.resume(); }))
    , sweep_(loop.on_demand([this] { sweep(); })) {
    acceptable_.resume();
}

AgentListener::~AgentListener() = default;

UniqueFd AgentListener::release() {
    acceptable_.pause();
    again_.pause();
    return std::move(listener_);
}

void AgentListener::accept() {
    if (!may_take_()) {
        pause();
        return;
    }
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
        if (is_shortage(errno))
            pause();
        return;
    }
    tune_connection(fd.get());
    std::string address = address_of(fd.get());
    if (const Result<void> checked = check_peer(fd.get()); !checked)
        refuse(address, checked.error().message);
    else if (token_.empty())
        take_(std::move(fd), address);
    else
        begin(std::move(fd), std::move(address));
}

void AgentListener::pause() {
    acceptable_.pause();
    again_.start(full_pause);
}

/// Who is at the other end of a path the taker finds out.
Result<void> AgentListener::check_peer(int fd) const {
    if (!settings_.path.empty())
        return {};
    if (!settings_.vsock.empty() && !(settings_.cids.empty() && !token_.empty())) {
        const std::optional<unsigned> cid = peer_cid(fd);
        const auto& named = settings_.cids;
        if (!cid || std::find(named.begin(), named.end(), *cid) == named.end())
            return Error{"it is not among listen.cids"};
    }
    return settings_.tcp.empty() || !token_.empty() ? Result<void>() : check_loopback_peer(fd);
}

void AgentListener::begin(UniqueFd fd, std::string address) {
    if (std::count_if(peers_.begin(), peers_.end(), [](const auto& peer) {
            return !peer->is_over;
        }) >= static_cast<std::ptrdiff_t>(most_handshakes))
        make_room();
    peers_.push_back(std::make_unique<Peer>());
    Peer& peer = *peers_.back();
    peer.fd = std::move(fd);
    peer.address = std::move(address);
    peer.exchange = std::make_unique<TokenExchange>(
        loop_, peer.fd.get(), TokenHandshake::Role::listener, token_,
        [this, &peer](TokenExchange::Outcome outcome) { on_end(peer, outcome); });
}

/// Whoever floods us from one address loses his own, and not those of others.
void AgentListener::make_room() {
    std::map<std::string, std::size_t> counts;
    for (const auto& peer : peers_)
        if (!peer->is_over)
            ++counts[peer->address];
    const auto count = [&](const auto& peer) { return peer->is_over ? 0 : counts[peer->address]; };
    // The first of those that are equal, so the oldest.
    const auto oldest =
        std::max_element(peers_.begin(), peers_.end(),
                         [&](const auto& a, const auto& b) { return count(a) < count(b); });
    refuse((*oldest)->address, "others came while it was in the handshake");
    // Not within a callback of its own: accept() is the listener's.
    peers_.erase(oldest);
}

void AgentListener::on_end(Peer& peer, TokenExchange::Outcome outcome) {
    peer.is_over = true;
    sweep_.trigger();
    if (outcome == TokenExchange::Outcome::done) {
        take_(std::move(peer.fd), peer.address);
        return;
    }
    refuse(peer.address, why_refused(outcome));
    peer.fd.reset();
}

void AgentListener::refuse(const std::string& where, const std::string& why) {
    const TimePoint now = Clock::now();
    if (const int untold = lines_.left_out(now); untold > 0)
        log::warning("{} more peers were refused at {} meanwhile", untold, settings_.name());
    if (lines_.take(now))
        log::warning("a peer of {} ({}) is refused: {}", settings_.name(), where, why);
}

void AgentListener::sweep() {
    std::erase_if(peers_, [](const auto& peer) { return peer->is_over; });
}

Result<UniqueFd> listen_as(const ListenSettings& settings) {
    if (!settings.path.empty())
        return listen_at_chosen(settings.path);
    const Result<Endpoint> endpoint =
        settings.tcp.empty() ? vsock_endpoint(settings.vsock) : tcp_endpoint(settings.tcp);
    if (!endpoint)
        return endpoint.error();
    return listen_on(*endpoint);
}

} // namespace livesock
