#include "supervisor/signing/signing_listener.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// One line in this time tells of refused requests; the others are counted.
constexpr auto telling_interval = 10s;

/// So many requests of a listener may wait for the agent at once: fewer than it may have
/// connections, so that one that hangs leaves some for the others.
constexpr std::size_t most_waiting = 128;

constexpr std::string_view key_header = "ssh-public-key";
constexpr std::size_t longest_quote = 128;

constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

struct Route {
    std::string_view path;
    std::string_view methods; ///< as in Allow
};
constexpr Route routes[] = {
    {"/sign", "POST"},
    {"/publickey", "GET, HEAD"},
    {"/healthz", "GET, HEAD"},
    {"/metrics", "GET, HEAD"},
};

const Route* route_of(const HttpRequest& request) {
    const auto* const found = std::find_if(std::begin(routes), std::end(routes),
                                           [&](const Route& r) { return r.path == request.path; });
    return found == std::end(routes) ? nullptr : found;
}

std::optional<HttpAnswer> refused_method(const Route& route, const HttpRequest& request) {
    const bool is_post = route.methods == "POST";
    if (is_post ? request.method == "POST" : request.method == "GET" || request.method == "HEAD")
        return std::nullopt;
    HttpAnswer answer = refusal(405, fmt::format("{} takes {} only", route.path, route.methods));
    answer.headers.emplace_back("Allow", route.methods);
    return answer;
}

} // namespace

SigningListener::SigningListener(const SigningWorld& world, HttpServer& server,
                                 SigningSettings settings)
    : world_(world)
    , server_(server)
    , settings_(std::move(settings))
    , access_(settings_.access)
    , rate_(settings_.rate, Clock::now())
    , sweep_(world.loop.on_demand([this] { sweep(); })) {}

void SigningListener::apply(SigningSettings settings) {
    settings_ = std::move(settings);
    access_ = Access(settings_.access);
    rate_.set(settings_.rate, Clock::now());
}

HttpHeadVerdict SigningListener::begin(HttpRequestId id, const HttpRequest& request,
                                       HttpPeer& peer) {
    if (const auto refused = access_.refused_as_web(request, peer))
        return refuse(*refused, request, peer);
    const Route* const route = route_of(request);
    const bool is_health = route != nullptr && route->path == "/healthz";
    std::string who;
    if (!is_health) {
        AccessVerdict verdict = access_.check(request, peer);
        if (verdict.refusal)
            return refuse(*verdict.refusal, request, peer);
        who = std::move(verdict.grant.who);
    }
    if (route == nullptr)
        return {.refusal = refusal(404, "there are /sign, /publickey, /healthz and /metrics")};
    if (const auto refused = refused_method(*route, request))
        return {.refusal = refused};
    // A request whose body is awaited is not closed for others: not even /healthz may get there.
    if (route->path != "/sign" && request.has_body())
        return {.refusal = refusal(413, fmt::format("{} takes no body", route->path))};
    if (is_health || route->path == "/metrics")
        return begin_check(id, is_health ? Check::health : Check::metrics);
    return begin_job(id, route->path == "/sign" ? SignJob::Task::sign : SignJob::Task::public_key,
                     request, std::move(who));
}

/// Tells of who is kept out, and of how many more there were.
HttpHeadVerdict SigningListener::refuse(const HttpAnswer& answer, const HttpRequest& request,
                                        const HttpPeer& peer) {
    const TimePoint now = Clock::now();
    if (refusal_told_at_ && now - *refusal_told_at_ < telling_interval) {
        ++refusals_untold_;
        return {.refusal = answer};
    }
    refusal_told_at_ = now;
    const std::string_view reason(answer.body.data(), answer.body.size() - 1);
    log::warning("signing at '{}': {} of {} is refused ({}): {}{}", escaped(settings_.name),
                 escaped(request.path, longest_quote), peer.name(), answer.status, escaped(reason),
                 refusals_untold_ > 0 ? fmt::format(" ({} more were meanwhile)", refusals_untold_)
                                      : "");
    refusals_untold_ = 0;
    return {.refusal = answer};
}

HttpHeadVerdict SigningListener::begin_check(HttpRequestId id, Check check) {
    checks_.emplace(id, check);
    return {};
}

/// What the request asks for, into `order`; or why it does not get it.
std::optional<HttpAnswer> SigningListener::refused_parameters(const HttpRequest& request,
                                                              SignJob::Order& order) {
    bool is_malformed = false;
    const auto name_space = query_parameter(request.query, "namespace", is_malformed);
    const auto key = query_parameter(request.query, "key", is_malformed);
    if (is_malformed)
        return refusal(400, "the query is malformed");
    order.name_space = name_space.value_or(settings_.namespaces.front());
    const auto& namespaces = settings_.namespaces;
    if (std::find(namespaces.begin(), namespaces.end(), order.name_space) == namespaces.end())
        return refusal(403, fmt::format("the namespace '{}' may not be signed for here",
                                        escaped(order.name_space, longest_quote)));
    const std::string* const header = request.header(key_header);
    if (key && header != nullptr)
        return refusal(400, "name the key in the query or in SSH-Public-Key, not in both");
    if (!key && header == nullptr)
        return std::nullopt;
    const std::optional<WantedKey> wanted = parse_wanted_key(key ? *key : *header);
    if (!wanted)
        return refusal(400, "the key is no fingerprint (SHA256:...) and no public key of a type "
                            "that can sign");
    if (!is_allowed(*wanted, settings_.keys))
        return refusal(403, fmt::format("the key {} may not sign here", wanted->fingerprint));
    order.wanted = *wanted;
    return std::nullopt;
}

std::optional<HttpAnswer> SigningListener::over_rate() {
    const std::optional<Duration> wait = rate_.take(Clock::now());
    if (!wait)
        return std::nullopt;
    HttpAnswer answer =
        refusal(429, fmt::format("more than {} requests in a minute", settings_.rate));
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*wait).count();
    answer.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
    return answer;
}

HttpHeadVerdict SigningListener::begin_job(HttpRequestId id, SignJob::Task task,
                                           const HttpRequest& request, std::string who) {
    SignJob::Order order{.task = task,
                         .allowed = settings_.keys,
                         .who = std::move(who),
                         .timeout = settings_.timeout};
    if (const auto refused = refused_parameters(request, order))
        return {.refusal = refused};
    const bool is_signing = task == SignJob::Task::sign;
    if (is_signing && !request.has_body())
        return {.refusal = refusal(400, "there is nothing to sign: the body is empty")};
    if (const auto refused = over_rate())
        return {.refusal = refused};
    jobs_.emplace(id, std::make_unique<SignJob>(world_, std::move(order)));
    return {.refusal = std::nullopt, .max_body = is_signing ? settings_.max_body : 0};
}

void SigningListener::body(HttpRequestId id, std::string_view piece) {
    if (const auto job = jobs_.find(id); job != jobs_.end())
        job->second->add(piece);
}

void SigningListener::complete(HttpRequestId id) {
    if (const auto check = checks_.find(id); check != checks_.end()) {
        const HttpAnswer answer = answer_of(check->second);
        checks_.erase(check);
        metrics_.answered(answer.status);
        server_.answer(id, answer);
        return;
    }
    const auto found = jobs_.find(id);
    if (found == jobs_.end())
        return;
    SignJob& job = *found->second;
    if (job.order().task == SignJob::Task::sign && job.is_empty()) {
        const HttpAnswer answer = refusal(400, "there is nothing to sign: the body is empty");
        jobs_.erase(found);
        metrics_.answered(answer.status);
        server_.answer(id, answer);
        return;
    }
    if (const std::size_t others = waiting(); others >= most_waiting) {
        HttpAnswer answer =
            refusal(503, fmt::format("{} requests wait for the agent already: try again", others));
        answer.headers.emplace_back("Retry-After", "1");
        jobs_.erase(found);
        metrics_.answered(answer.status);
        server_.answer(id, answer);
        return;
    }
    job.start([this, id](const SignJob::Outcome& outcome) { on_done(id, outcome); });
}

/// How many requests wait for the agent; those whose body is still to come do not.
std::size_t SigningListener::waiting() const {
    const auto count = std::count_if(jobs_.begin(), jobs_.end(),
                                     [](const auto& entry) { return entry.second->is_started(); });
    return static_cast<std::size_t>(count);
}

HttpAnswer SigningListener::answer_of(Check check) const {
    if (check == Check::health)
        return {.body = "ok\n"};
    return {.body = to_prometheus(metrics_, settings_.name, waiting(), world_.agents()),
            .type = std::string(metrics_type)};
}

void SigningListener::on_done(HttpRequestId id, const SignJob::Outcome& outcome) {
    const auto found = jobs_.find(id);
    const SignJob& job = *found->second;
    const SignJob::Order& order = job.order();
    metrics_.answered(outcome.answer.status);
    if (!outcome.complaint.empty())
        log::warning("signing at '{}' for {}: {}; the signature is thrown away",
                     escaped(settings_.name), order.who, outcome.complaint);
    if (order.task == SignJob::Task::sign && outcome.answer.status == 200) {
        metrics_.signed_in(Clock::now() - job.started());
        log::info("signed at '{}' for {}: namespace '{}', key {}", escaped(settings_.name),
                  order.who, escaped(order.name_space, longest_quote), outcome.key);
    }
    server_.answer(id, outcome.answer);
    finished_.push_back(std::move(found->second));
    jobs_.erase(found);
    sweep_.trigger();
}

void SigningListener::gone(HttpRequestId id) {
    jobs_.erase(id);
    checks_.erase(id);
}

void SigningListener::sweep() {
    finished_.clear();
}

} // namespace livesock
