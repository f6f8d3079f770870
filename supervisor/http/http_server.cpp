#include "supervisor/http/http_server.hpp"

#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <tuple>

#include <sys/socket.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// Where descriptors are short, or all connections are owed something, accepting is tried again
/// after this.
constexpr auto pause_of_accepting = 100ms;

} // namespace

HttpServer::HttpServer(EventLoop& loop, HttpLimits limits)
    : loop_(loop)
    , limits_(limits)
    , sweep_(loop.on_demand([this] { sweep(); }))
    , accept_again_(loop.timer([this] {
        for (const auto& [id, listener] : listeners_)
            if (!listener->is_removed)
                listener->acceptable.resume();
    })) {}

/// The handlers may be gone by now: nobody is told.
HttpServer::~HttpServer() = default;

HttpServer::ListenerId HttpServer::add(UniqueFd fd, HttpHandler& handler) {
    const ListenerId id = next_listener_++;
    auto listener = std::make_unique<Listener>();
    Listener& made = *listener;
    made.fd = std::move(fd);
    made.handler = &handler;
    made.acceptable = loop_.on_readable(made.fd.get(), [this, id] { accept(id); });
    made.acceptable.resume();
    listeners_.emplace(id, std::move(listener));
    return id;
}

UniqueFd HttpServer::remove(ListenerId id) {
    const auto found = listeners_.find(id);
    if (found == listeners_.end())
        return {};
    Listener& listener = *found->second;
    listener.acceptable.pause();
    listener.is_removed = true;
    for (const auto& [connection, owner] : connections_)
        if (connection->listener() == id && connection->is_open())
            connection->close_when_idle();
    // Where it has no connection none will say that it can go.
    sweep_.trigger();
    return std::move(listener.fd);
}

void HttpServer::answer(HttpRequestId id, const HttpAnswer& answer) {
    if (const auto found = requests_.find(id); found != requests_.end())
        found->second->answer(answer);
}

void HttpServer::accept(ListenerId id) {
    Listener& listener = *listeners_.at(id);
    const bool is_full = connections() >= limits_.most_connections ||
                         listener.connections >= limits_.most_listener_connections;
    if (is_full && !make_room(listener)) {
        listener.acceptable.pause();
        accept_again_.start(pause_of_accepting);
        return;
    }
    UniqueFd fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
        admit(listener, id, std::move(fd));
    } else if (is_shortage(errno)) {
        listener.acceptable.pause();
        accept_again_.start(pause_of_accepting);
    }
}

void HttpServer::admit(Listener& listener, ListenerId id, UniqueFd fd) {
    HttpConnectionOwner& owner = *this;
    auto connection = std::make_unique<HttpConnection>(owner, *listener.handler, id, std::move(fd));
    ++listener.connections;
    connections_.emplace(connection.get(), std::move(connection));
}

/// Closes the connection whose client lets us wait for longest, best one whose request nobody has
/// accepted yet: of this listener if it has too many, else of any.
bool HttpServer::make_room(const Listener& listener) {
    const bool of_this_one = listener.connections >= limits_.most_listener_connections;
    HttpConnection* best = nullptr;
    std::tuple<bool, TimePoint> best_rank;
    for (const auto& [connection, owner] : connections_) {
        const auto waiting = connection->waits_for_client();
        const auto its = listeners_.find(connection->listener());
        if (!waiting || (of_this_one && its->second.get() != &listener))
            continue;
        const std::tuple rank(waiting->is_accepted, waiting->since);
        if (best == nullptr || rank < best_rank) {
            best = connection;
            best_rank = rank;
        }
    }
    if (best != nullptr)
        best->close();
    return best != nullptr;
}

HttpRequestId HttpServer::begin(HttpConnection& connection) {
    const HttpRequestId id = next_request_++;
    requests_.emplace(id, &connection);
    return id;
}

void HttpServer::closed(HttpConnection& connection) {
    --listeners_.at(connection.listener())->connections;
    closed_.push_back(&connection);
    sweep_.trigger();
}

void HttpServer::sweep() {
    for (HttpConnection* const connection : closed_)
        connections_.erase(connection);
    closed_.clear();
    std::erase_if(listeners_, [](const auto& entry) {
        return entry.second->is_removed && entry.second->connections == 0;
    });
}

} // namespace livesock
