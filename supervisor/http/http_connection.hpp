// One connection of the HTTP server: its requests, one after the other.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "supervisor/http/http_peer.hpp"
#include "supervisor/http/request.hpp"
#include "supervisor/http/request_parser.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// Names one request for as long as the server runs; no two have the same.
using HttpRequestId = std::uint64_t;

struct HttpLimits {
    /// A request is there as a whole so long after its connection, or its first byte, was.
    std::chrono::milliseconds request{30'000};
    /// A connection may wait so long for its next request.
    std::chrono::milliseconds idle{15'000};
    /// An answer is taken as a whole within this.
    std::chrono::milliseconds answer{10'000};
    /// What a client still sends after a refusal is thrown away for so long: one that is reset
    /// instead has not read why.
    std::chrono::milliseconds farewell{2'000};
    std::size_t most_connections = 1024;         ///< of all listeners
    std::size_t most_listener_connections = 512; ///< of one
};

/// What a handler says to the head of a request.
struct HttpHeadVerdict {
    std::optional<HttpAnswer> refusal = std::nullopt; ///< the body is not wanted
    std::size_t max_body = 0;                         ///< else: a longer one gets a 413
};

/// Serves the requests of a listener. Nothing here may destroy the server or remove the listener.
class HttpHandler {
  public:
    /// A request has begun. `request` and `peer` are valid for the duration of the call.
    virtual HttpHeadVerdict begin(HttpRequestId id, const HttpRequest& request, HttpPeer& peer) = 0;
    /// The next piece of its body.
    virtual void body(HttpRequestId id, std::string_view piece) = 0;
    /// It is complete: HttpServer::answer() is owed, now or later.
    virtual void complete(HttpRequestId id) = 0;
    /// No answer is wanted any more: the client is gone, or broke the protocol. Not called once
    /// answer() was, nor for a request that was refused.
    virtual void gone(HttpRequestId id) = 0;
    /// A request was answered by the server itself, or refused in begin(): for counting.
    virtual void answered(int status) = 0;
    /// `refusal`, a line of text with which the server itself is about to answer, in the words that
    /// the handler's clients understand.
    virtual HttpAnswer worded(HttpAnswer refusal) const { return refusal; }

  protected:
    ~HttpHandler() = default;
};

class HttpConnection;

/// What a connection needs from the server.
class HttpConnectionOwner {
  public:
    virtual EventLoop& loop() = 0;
    virtual const HttpLimits& limits() const = 0;
    /// A request begins: its id, until end().
    virtual HttpRequestId begin(HttpConnection& connection) = 0;
    virtual void end(HttpRequestId id) = 0;
    /// Called once; destroy it later.
    virtual void closed(HttpConnection& connection) = 0;

  protected:
    ~HttpConnectionOwner() = default;
};

class HttpConnection {
  public:
    HttpConnection(HttpConnectionOwner& owner, HttpHandler& handler, std::uint64_t listener,
                   UniqueFd fd);
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;

    /// Answers the request that is complete.
    void answer(const HttpAnswer& answer);

    /// Closes it when nothing is owed on it any more, and no request is on its way.
    void close_when_idle();
    void close();

    /// Since when the client has let us wait for its request, or the rest of it, or has not taken
    /// its answer; nothing where we owe it one. `is_accepted`: the handler has taken its head.
    struct Waiting {
        TimePoint since;
        bool is_accepted;
    };
    std::optional<Waiting> waits_for_client() const;

    bool is_open() const { return state_ != State::closed; }
    std::uint64_t listener() const { return listener_; }

  private:
    enum class State {
        idle,      ///< nothing of a request has come
        head,      ///< a part of its head
        body,      ///< the handler has taken the head and gets the body
        answering, ///< the handler owes the answer
        writing,   ///< the answer goes out
        farewell,  ///< it is out; what the client still sends is thrown away
        closed,    ///< over; the owner destroys this
    };
    void on_readable();
    void parse(std::string_view input);
    bool parse_step(std::string_view& input);
    void on_head();
    void on_piece();
    enum class Rest {
        none,    ///< the request has come as a whole
        unknown, ///< what follows may belong to it: nothing can be read after it
    };
    void refuse_unseen(int status, std::string_view reason);
    void refuse_length();
    void refuse(const HttpAnswer& answer, Rest rest);
    void send(const HttpAnswer& answer, bool then_close);
    void write_some();
    void on_written();
    void next_request();
    void on_deadline();
    void discard();
    void forget_request();

    HttpConnectionOwner& owner_;
    HttpHandler& handler_;
    std::uint64_t listener_;
    UniqueFd fd_;
    HttpPeer peer_;
    State state_ = State::idle;
    RequestParser parser_;
    HttpRequestId request_ = 0; // 0: the handler knows of none
    std::size_t max_body_ = 0;
    std::size_t body_size_ = 0;
    bool closes_ = false;     // after this answer
    bool has_served_ = false; // a request before
    bool wants_body_ = true;  // of the answer: it was no HEAD
    std::string undelivered_; // behind the request that is being served
    std::string unwritten_;
    std::size_t written_ = 0;
    TimePoint waiting_since_;
    Watch readable_;
    Watch writable_;
    Watch deadline_;
    Watch next_;
};

} // namespace livesock
