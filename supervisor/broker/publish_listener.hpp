// Serves the bus's format to a guest: POST /v1/publish ([[broker.listen]]).
#pragma once

#include "supervisor/base/rate_limit.hpp"
#include "supervisor/broker/host.hpp"
#include "supervisor/broker/settings.hpp"
#include "supervisor/http/access.hpp"
#include "supervisor/http/address.hpp"
#include "supervisor/http/http_server.hpp"

#include <string>
#include <unordered_map>

namespace livesock {

/// So many requests, and so many bodies of largest_envelope, a listener has at once.
inline constexpr std::size_t most_publications = 32;

/// To read a large body takes time that others wait for: of those beyond the first size, or of one
/// that is not told, a listener takes so many a minute.
inline constexpr std::size_t largest_small_publication = 16 * 1024;
inline constexpr std::size_t most_large_publications = 120;

/// "unix:PATH" (absolute), "tcp:ADDR:PORT" or "vsock:PORT". The error is what was expected.
[[nodiscard]] Result<ListenAddress> parse_broker_address(const std::string& text);

class PublishListener final : public HttpHandler {
  public:
    /// `server` and `host` outlive this.
    PublishListener(HttpServer& server, Host& host, BrokerListenSettings settings,
                    UniqueFd listener);
    ~PublishListener();
    PublishListener(const PublishListener&) = delete;
    PublishListener& operator=(const PublishListener&) = delete;

    /// Begins nothing more and returns the listening socket. Requests that are under way are
    /// answered, so that this must not be destroyed before is_quiet(), and not within a minute.
    [[nodiscard]] UniqueFd retire();
    /// What is not complete yet is refused from now on: the rules that let it in are no more.
    void outdate() { is_outdated_ = true; }
    bool is_quiet() const { return pending_.empty(); }

  private:
    struct Pending {
        std::string body;
        Host::Id job = 0;
    };

    HttpHeadVerdict begin(HttpRequestId id, const HttpRequest& request, HttpPeer& peer) override;
    void body(HttpRequestId id, std::string_view piece) override;
    void complete(HttpRequestId id) override;
    void gone(HttpRequestId id) override;
    void answered(int) override {}
    HttpAnswer worded(HttpAnswer refusal) const override;

    std::optional<HttpAnswer> refused(const HttpRequest& request, HttpPeer& peer);
    void publish(HttpRequestId id, const std::string& payload);

    HttpServer& server_;
    Host& host_;
    BrokerListenSettings settings_;
    ListenAddress address_;
    Access access_;
    std::unordered_map<HttpRequestId, Pending> pending_;
    RateLimit large_{most_large_publications, Clock::now()};
    bool is_retired_ = false;
    bool is_outdated_ = false;
    HttpServer::ListenerId id_;
};

} // namespace livesock
