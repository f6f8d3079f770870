#include "supervisor/upstream/tmux_clients.hpp"

#include "supervisor/base/log.hpp"
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>

#include <fcntl.h>
#include <unistd.h>

namespace livesock {
namespace {

/// The option is of the session; client-active and client-attached set it where there are the
/// hooks.
constexpr const char* format =
    "#{client_activity} #{client_pid} #{==:#{client_name},#{@livesock_active}}";

/// A listing has some 20 bytes for a client; what is longer is cut.
constexpr std::size_t longest_listing = 16 * 1024;

/// The number at the start of `text`, which is shortened by it and what separates it.
std::optional<long long> cut_number(std::string_view& text) {
    long long number = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{})
        return std::nullopt;
    const auto size = static_cast<std::size_t>(rest - text.data());
    text.remove_prefix(std::min(size + 1, text.size()));
    return number;
}

} // namespace

std::optional<pid_t> last_active(std::string_view listing) {
    std::optional<pid_t> last;
    long long latest = -1;
    while (!listing.empty()) {
        const std::size_t end = std::min(listing.find('\n'), listing.size());
        std::string_view line = listing.substr(0, end);
        listing.remove_prefix(std::min(end + 1, listing.size()));
        const std::optional<long long> activity = cut_number(line);
        const std::optional<long long> pid = activity ? cut_number(line) : std::nullopt;
        const bool is_later = activity > latest || (activity == latest && line == "1");
        if (!pid || *pid <= 0 || !is_later)
            continue;
        latest = *activity;
        last = static_cast<pid_t>(*pid);
    }
    return last;
}

struct TmuxClients::Query {
    UniqueFd output;
    std::string listing;
    pid_t pid = 0;
    Watch readable;
    Watch patience;
};

TmuxClients::TmuxClients(EventLoop& loop, Children& children, std::function<void()> on_answer,
                         std::string tmux)
    : loop_(loop)
    , children_(children)
    , on_answer_(std::move(on_answer))
    , tmux_(std::move(tmux))
    , sweep_(loop.on_demand([this] {
        for (const Pane& pane : std::exchange(ended_, {}))
            running_.erase(pane);
        on_answer_();
    })) {}

TmuxClients::~TmuxClients() {
    for (const auto& [pane, query] : running_)
        children_.kill(query->pid);
}

const TmuxClients::Answer* TmuxClients::known(const Pane& pane) const {
    const auto found = known_.find(pane);
    return found == known_.end() ? nullptr : &found->second;
}

bool TmuxClients::ask(const Pane& pane) {
    if (running_.contains(pane))
        return true;
    // Nobody else's server is asked: tmux would obey what that answers.
    const std::string socket = own_socket_at(pane.socket);
    int ends[2];
    if (running_.size() >= most_running || socket.empty() ||
        ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    auto query = std::make_unique<Query>();
    query->output.reset(ends[0]);
    const UniqueFd input(ends[1]);
    Program program{.words = {tmux_, "-S", socket, "list-clients", "-t", pane.id, "-F", format},
                    .environment = environment_of_children()};
    program.output = input.get();
    program.death_signal = SIGKILL;
    const Result<pid_t> started = children_.start(program, [](int) {});
    if (!started) {
        log::debug("tmux is not asked who types: {}", started.error().message);
        remember(pane, std::nullopt);
        return false;
    }
    query->pid = *started;
    query->readable = loop_.on_readable(query->output.get(), [this, pane] { read(pane); });
    query->patience = loop_.timer([this, pane] { give_up(pane); });
    query->readable.resume();
    query->patience.start(patience);
    running_[pane] = std::move(query);
    return true;
}

void TmuxClients::read(const Pane& pane) {
    Query& query = *running_.at(pane);
    char chunk[1024];
    const ssize_t count = ::read(query.output.get(), chunk, sizeof chunk);
    if (count > 0 && query.listing.size() < longest_listing)
        query.listing.append(chunk, static_cast<std::size_t>(count));
    if (count > 0 || (count < 0 && would_block(errno)))
        return;
    note(pane, query.listing);
}

void TmuxClients::give_up(const Pane& pane) {
    children_.kill(running_.at(pane)->pid);
    note(pane, {});
}

void TmuxClients::remember(const Pane& pane, std::optional<Login> login) {
    if (known_.size() >= most_known && !known_.contains(pane))
        known_.clear();
    known_[pane] = {std::move(login), Clock::now()};
}

void TmuxClients::note(const Pane& pane, std::string_view listing) {
    const std::optional<pid_t> client = last_active(listing);
    remember(pane, client ? parse_login(environment_of(*client)) : std::nullopt);
    Query& query = *running_.at(pane);
    query.readable.pause();
    query.patience.pause();
    ended_.push_back(pane);
    sweep_.trigger();
}

} // namespace livesock
