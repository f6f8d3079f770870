// An HTTP/1.1 server on the event loop, for few and small resources.
//
// It is ours, and not libevent's, for what that cannot do: it knows no limit for a request as a
// whole (only for each read), none for connections, and resets the connection of a body that is too
// large before the client has read why. Here no byte of a body is kept: it is handed on as it
// comes.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "supervisor/http/http_connection.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace livesock {

/// Serves any number of listeners, each with a handler of its own. Where connections run short, the
/// one that has let us wait for longest for the rest of a request, or does not take its answer, is
/// closed for a new one: who sends nothing, or reads nothing, keeps nobody else out.
class HttpServer final : private HttpConnectionOwner {
  public:
    using ListenerId = std::uint64_t;

    HttpServer(EventLoop& loop, HttpLimits limits = {});
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Accepts from `listener`, which is non-blocking; `handler` must outlive it.
    ListenerId add(UniqueFd listener, HttpHandler& handler);

    /// Ends a listener and returns it: nothing is accepted from it any more. Its connections end
    /// when what is owed on them is answered.
    UniqueFd remove(ListenerId id);
    /// Whether the listener is there, or connections of it are.
    bool has(ListenerId id) const { return listeners_.contains(id); }

    /// Answers the request `id`; without effect if its client is gone.
    void answer(HttpRequestId id, const HttpAnswer& answer);

    /// Connections that are open, of all listeners.
    std::size_t connections() const { return connections_.size() - closed_.size(); }

  private:
    struct Listener {
        UniqueFd fd;
        HttpHandler* handler = nullptr;
        Watch acceptable;
        std::size_t connections = 0; // open ones
        bool is_removed = false;
    };

    EventLoop& loop() override { return loop_; }
    const HttpLimits& limits() const override { return limits_; }
    HttpRequestId begin(HttpConnection& connection) override;
    void end(HttpRequestId id) override { requests_.erase(id); }
    void closed(HttpConnection& connection) override;

    void accept(ListenerId id);
    void admit(Listener& listener, ListenerId id, UniqueFd fd);
    bool make_room(const Listener& listener);
    void sweep();

    EventLoop& loop_;
    HttpLimits limits_;
    ListenerId next_listener_ = 1;
    HttpRequestId next_request_ = 1;
    std::vector<HttpConnection*> closed_;
    Watch sweep_;
    Watch accept_again_;
    std::unordered_map<ListenerId, std::unique_ptr<Listener>> listeners_;
    std::unordered_map<HttpRequestId, HttpConnection*> requests_;
    std::unordered_map<HttpConnection*, std::unique_ptr<HttpConnection>> connections_;
};

} // namespace livesock
