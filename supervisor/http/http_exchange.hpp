// One HTTP request to a server whose address is known, on a connection of its own.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "supervisor/http/http_url.hpp"
#include "supervisor/http/response_parser.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace livesock {

struct HttpCall {
    std::string method = "GET";
    std::string path;       ///< empty: that of the URL
    std::string body = {};  ///< of a POST, JSON
    std::string token = {}; ///< shown as "Authorization: Bearer"; empty: none
    /// Whose process a server on this machine may be, besides this user's and root's.
    std::vector<uid_t> server_uids = {};
};

/// Connects, sends a request and receives its response; its end is told in any case. Destroying it
/// gives the request up.
class HttpExchange {
  public:
    /// They come from the loop, and must not destroy the exchange.
    struct Callbacks {
        std::function<void(int status, const std::string& type)> head;
        std::function<void(std::string_view)> piece; ///< of the body, valid for the call
        /// Nothing follows. `trouble` is what prevented a complete response, empty if it came.
        std::function<void(const std::string& trouble)> end;
    };

    /// `limit`: from now to the end of the head of the response or, if the response is `bounded`,
    /// of all of it.
    HttpExchange(EventLoop& loop, const HttpUrl& url, const HttpCall& call, Duration limit,
                 bool is_bounded, Callbacks callbacks);
    HttpExchange(const HttpExchange&) = delete;
    HttpExchange& operator=(const HttpExchange&) = delete;

    /// Gives it up: no callback follows.
    void cancel();
    bool is_over() const { return is_over_; }
    /// Whether the server may have got the whole request.
    bool was_sent() const { return is_connected_ && written_ == unwritten_.size(); }
    /// Whether it was given up, nothing being sent, as the server is another user's process.
    bool is_distrusted() const { return is_distrusted_; }

  private:
    void on_writable();
    void on_readable();
    void take(std::string_view input);
    void finish(const std::string& trouble);

    std::string name_; // of the server
    std::vector<uid_t> server_uids_;
    Duration limit_;
    bool is_bounded_;
    Callbacks callbacks_;
    UniqueFd fd_;
    ResponseParser parser_;
    std::string unwritten_;
    std::size_t written_ = 0;
    std::string early_trouble_; // known before the loop runs
    bool is_connected_ = false;
    bool has_head_ = false;
    bool is_over_ = false;
    bool is_distrusted_ = false;
    Watch readable_;
    Watch writable_;
    Watch deadline_;
    Watch told_;
};

} // namespace livesock
