#include "supervisor/signing/signing_service.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// A listener that could not be opened is tried again after this.
constexpr auto retry_interval = 5s;

/// Those whom `allow_uids` names must be able to connect; who connects is checked.
constexpr mode_t own_mode = 0600;
constexpr mode_t shared_mode = 0666;

} // namespace

SigningService::SigningService(EventLoop& loop, AgentDoor open_agent,
                               std::function<AgentCounts()> agents)
    : world_{loop, std::move(open_agent), std::move(agents)}
    , retry_(loop.timer([this] { retry(); }))
    , server_(loop) {}

SigningService::~SigningService() {
    if (!has_handed_over_)
        apply({});
}

void SigningService::apply(const std::vector<SigningSettings>& settings) {
    std::vector<std::unique_ptr<Listener>> former = std::exchange(listeners_, {});
    for (const SigningSettings& wanted : settings) {
        const auto same = std::find_if(former.begin(), former.end(), [&](const auto& listener) {
            return listener && listener->handler->settings().listen == wanted.listen;
        });
        if (same == former.end()) {
            listeners_.push_back(std::make_unique<Listener>(
                std::make_unique<SigningListener>(world_, server_, wanted)));
            continue;
        }
        // A Unix socket's permissions are made with it.
        const bool is_shared = !(*same)->handler->settings().access.allow_uids.empty();
        const bool stays =
            !wanted.listen.is_unix() || is_shared != wanted.access.allow_uids.empty();
        if (stays) {
            (*same)->handler->apply(wanted);
            listeners_.push_back(std::move(*same));
        } else {
            listeners_.push_back(std::make_unique<Listener>(
                std::make_unique<SigningListener>(world_, server_, wanted)));
        }
    }
    for (auto& listener : former)
        if (listener)
            close(std::move(listener));
    restore();
    retry();
    adopted_.clear();
}

/// Opens what is not open.
void SigningService::retry() {
    std::erase_if(retired_, [&](const auto& listener) { return !is_served(*listener); });
    for (const auto& listener : listeners_)
        if (listener->id == 0)
            open(*listener);
    const bool all_open = std::all_of(listeners_.begin(), listeners_.end(),
                                      [](const auto& listener) { return listener->id != 0; });
    if (all_open && retired_.empty())
        retry_.pause();
    else
        retry_.start(retry_interval);
}

/// Makes those Unix sockets again whose names were deleted; whether all are there.
bool SigningService::restore() {
    bool is_complete = true;
    for (const auto& listener : listeners_) {
        // Also one that cannot be watched, where the configuration is read again.
        const bool is_unix = listener->handler->settings().listen.is_unix();
        if (!is_unix || (listener->id != 0 && listener->socket.is_there()))
            continue;
        const bool was_open = listener->id != 0;
        std::erase_if(listener->former_ids,
                      [this](HttpServer::ListenerId id) { return !server_.has(id); });
        if (was_open) {
            [[maybe_unused]] const UniqueFd closed = server_.remove(listener->id);
            listener->former_ids.push_back(std::exchange(listener->id, 0));
        }
        open(*listener);
        is_complete &= listener->id != 0;
        if (was_open && listener->id != 0)
            log::warning("'{}' was deleted: it is made again",
                         escaped(listener->handler->settings().listen.path));
    }
    return is_complete;
}

/// Whether connections of `listener` use its handler still.
bool SigningService::is_served(const Listener& listener) const {
    return server_.has(listener.id) ||
           std::any_of(listener.former_ids.begin(), listener.former_ids.end(),
                       [this](HttpServer::ListenerId id) { return server_.has(id); });
}

Result<UniqueFd> SigningService::take_socket(const SigningSettings& settings) {
    const mode_t mode = settings.access.allow_uids.empty() ? own_mode : shared_mode;
    UniqueFd fd = adopted_.take(to_text(settings.listen));
    // The predecessor's settings may have been others, or the name gone.
    if (fd && (!settings.listen.is_unix() || set_socket_mode(settings.listen.path, mode)))
        return fd;
    fd.reset();
    return listen_at(settings.listen, mode);
}

void SigningService::open(Listener& listener) {
    const SigningSettings& settings = listener.handler->settings();
    Result<UniqueFd> fd = take_socket(settings);
    if (!fd) {
        listener.socket.failed(fd.error());
        retry_.start(retry_interval);
        return;
    }
    listener.id = server_.add(std::move(*fd), *listener.handler);
    listener.socket.opened(world_.loop, settings.listen.path, [this] { return restore(); });
    log::info("signing is offered at '{}'", to_text(settings.listen));
}

/// Its name goes, if it still is its own.
void SigningService::close(std::unique_ptr<Listener> listener) {
    listener->socket.remove_name();
    [[maybe_unused]] const UniqueFd closed =
        listener->id != 0 ? server_.remove(listener->id) : UniqueFd();
    retired_.push_back(std::move(listener));
}

std::vector<SigningView> SigningService::listeners() const {
    std::vector<SigningView> views;
    for (const auto& listener : listeners_)
        views.push_back({listener->handler->settings(), listener->handler->metrics(),
                         listener->socket.reason()});
    return views;
}

void SigningService::hand_over(
    const std::function<void(const std::string& address, int fd)>& take) {
    has_handed_over_ = true;
    retry_.pause();
    for (auto& listener : std::exchange(listeners_, {})) {
        if (listener->id != 0) {
            const UniqueFd fd = server_.remove(listener->id);
            take(to_text(listener->handler->settings().listen), fd.get());
        }
        // Also one that is closed: connections of its former sockets may be.
        retired_.push_back(std::move(listener));
    }
}

void SigningService::adopt(const std::string& address, UniqueFd fd) {
    adopted_.add(address, std::move(fd));
}

} // namespace livesock
