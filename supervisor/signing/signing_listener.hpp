// The resources of one signing listener: /sign, /publickey, /healthz, /metrics.
#pragma once

#include "supervisor/base/rate_limit.hpp"
#include "supervisor/http/http_server.hpp"
#include "supervisor/signing/settings.hpp"
#include "supervisor/signing/sign_job.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace livesock {

/// Answers HTTP requests with signatures of the agent. `world` and `server` must outlive it.
class SigningListener final : public HttpHandler {
  public:
    SigningListener(const SigningWorld& world, HttpServer& server, SigningSettings settings);

    /// For requests that begin from now on.
    void apply(SigningSettings settings);

    const SigningSettings& settings() const { return settings_; }
    const SigningMetrics& metrics() const { return metrics_; }

    HttpHeadVerdict begin(HttpRequestId id, const HttpRequest& request, HttpPeer& peer) override;
    void body(HttpRequestId id, std::string_view piece) override;
    void complete(HttpRequestId id) override;
    void gone(HttpRequestId id) override;
    void answered(int status) override { metrics_.answered(status); }

  private:
    /// What is answered without the agent.
    enum class Check { health, metrics };

    HttpHeadVerdict begin_check(HttpRequestId id, Check check);
    HttpHeadVerdict begin_job(HttpRequestId id, SignJob::Task task, const HttpRequest& request,
                              std::string who);
    HttpHeadVerdict refuse(const HttpAnswer& answer, const HttpRequest& request,
                           const HttpPeer& peer);
    std::optional<HttpAnswer> refused_parameters(const HttpRequest& request, SignJob::Order& order);
    std::optional<HttpAnswer> over_rate();
    HttpAnswer answer_of(Check check) const;
    std::size_t waiting() const;
    void on_done(HttpRequestId id, const SignJob::Outcome& outcome);
    void sweep();

    const SigningWorld& world_;
    HttpServer& server_;
    SigningSettings settings_;
    Access access_;
    RateLimit rate_;
    SigningMetrics metrics_;
    std::unordered_map<HttpRequestId, std::unique_ptr<SignJob>> jobs_;
    std::unordered_map<HttpRequestId, Check> checks_;
    std::vector<std::unique_ptr<SignJob>> finished_; // may be in a callback of theirs
    Watch sweep_;
    std::optional<TimePoint> refusal_told_at_;
    std::uint64_t refusals_untold_ = 0;
};

} // namespace livesock
