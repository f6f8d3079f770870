#include "supervisor/broker/agent_listeners.hpp"

#include "supervisor/agent/token_file.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>

namespace livesock {
namespace {

using namespace std::chrono_literals;

bool is_beyond_loopback(const ListenSettings& settings) {
    const Result<Endpoint> endpoint = tcp_endpoint(settings.tcp);
    return endpoint && !is_loopback(*endpoint);
}

std::string handed_name(const ListenSettings& settings) {
    return std::string(AgentListeners::hand_over_prefix) + settings.name();
}

} // namespace

AgentListeners::AgentListeners(EventLoop& loop, AgentListener::Taker take,
                               std::function<bool()> may_take)
    : loop_(loop)
    , take_(std::move(take))
    , may_take_(std::move(may_take))
    , again_(loop.timer([this] { try_again(); })) {}

AgentListeners::~AgentListeners() {
    apply({});
}

void AgentListeners::apply(const std::vector<ListenSettings>& settings) {
    std::vector<Entry> former = std::exchange(entries_, {});
    // First those that go: another may want their address.
    for (Entry& entry : former) {
        const bool stays =
            std::find(settings.begin(), settings.end(), entry.settings) != settings.end();
        if (stays)
            continue;
        entry.socket.remove_name();
        entry.listener.reset();
    }
    for (const ListenSettings& wanted : settings) {
        const auto known = std::find_if(former.begin(), former.end(), [&](const Entry& entry) {
            return entry.settings == wanted;
        });
        entries_.push_back(known == former.end() ? Entry{wanted, nullptr, {}} : std::move(*known));
        open(entries_.back());
    }
    inherited_.clear();
}

void AgentListeners::open(Entry& entry) {
    const ListenSettings& settings = entry.settings;
    const Result<std::string> token = settings.token_file.empty()
                                          ? Result<std::string>(std::string())
                                          : read_token(settings.token_file);
    if (token && entry.listener && entry.listener->token() == *token)
        return;
    UniqueFd fd = entry.listener ? entry.listener->release()
                  : token        ? inherited_.take(handed_name(settings))
                                 : UniqueFd();
    entry.listener.reset();
    Result<UniqueFd> listening = !token ? Result<UniqueFd>(token.error())
                                 : fd   ? Result<UniqueFd>(std::move(fd))
                                        : listen_as(settings);
    if (!listening) {
        entry.socket.failed(listening.error());
        again_.start(listen_retry_pause);
        return;
    }
    entry.listener = std::make_unique<AgentListener>(loop_, settings, *token, std::move(*listening),
                                                     take_, may_take_);
    entry.socket.opened(loop_, settings.path, [this] { return restore(); });
    log::info("agent clients are served at {}", settings.name());
    if (is_beyond_loopback(settings))
        log::warning("what passes at {} is not encrypted: whoever can read or change it on its way "
                     "sees what is signed and can use the agent; between machines, 'ssh -A' is the "
                     "way",
                     settings.name());
}

void AgentListeners::try_again() {
    for (Entry& entry : entries_)
        if (!entry.listener)
            open(entry);
}

/// Whether all paths are there.
bool AgentListeners::restore() {
    bool is_complete = true;
    for (Entry& entry : entries_) {
        if (!entry.socket.is_watched() || (entry.listener && entry.socket.is_there()))
            continue;
        const bool was_open = entry.listener != nullptr;
        entry.listener.reset();
        open(entry);
        is_complete &= entry.listener != nullptr;
        if (was_open && entry.listener)
            log::warning("'{}' was deleted: it is made again", escaped(entry.settings.path));
    }
    return is_complete;
}

void AgentListeners::inherit(std::string name, UniqueFd listener) {
    inherited_.add(std::move(name), std::move(listener));
}

void AgentListeners::give_away(const std::function<void(const std::string& name, int fd)>& give) {
    for (const Entry& entry : entries_)
        if (entry.listener)
            give(handed_name(entry.settings), entry.listener->fd());
    // Not apply({}): the names are another's now.
    entries_.clear();
    again_.pause();
}

std::vector<ListenerView> AgentListeners::list() const {
    std::vector<ListenerView> views;
    for (const Entry& entry : entries_)
        views.push_back({entry.settings.name(), "agent", entry.socket.reason()});
    return views;
}

} // namespace livesock
