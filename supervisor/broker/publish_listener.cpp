#include "supervisor/broker/publish_listener.hpp"

#include "supervisor/broker/envelope.hpp"
#include "supervisor/broker/text_forms.hpp"
#include "supervisor/http/status.hpp"

#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

constexpr std::string_view publish_path = "/v1/publish";
constexpr std::string_view unix_prefix = "unix:";
constexpr std::string_view tcp_prefix = "tcp:";
constexpr std::string_view vsock_prefix = "vsock:";

HttpAnswer answer_of(const BusError& error) {
    return {.status = error.status, .body = to_json(error), .type = "application/json"};
}

std::string_view code_of(int status) {
    switch (status) {
    case http_status::unauthorized:
        return "UNAUTHORIZED";
    case http_status::forbidden:
        return "FORBIDDEN";
    default:
        return "INVALID_BODY";
    }
}

/// `answer`, which says why not in a line of text, in the bus's format. That knows no 413.
HttpAnswer reworded(HttpAnswer answer) {
    while (answer.body.ends_with('\n'))
        answer.body.pop_back();
    if (answer.status == http_status::too_large)
        answer.status = http_status::bad_request;
    answer.body =
        to_json(BusError{answer.status, std::string(code_of(answer.status)), answer.body});
    answer.type = "application/json";
    return answer;
}

bool is_vsock(const ListenAddress& address) {
    return !address.is_unix() && !address.endpoint.is_tcp();
}

AccessSettings access_settings(const BrokerListenSettings& settings, const ListenAddress& address) {
    return {.token_file = settings.token_file,
            .requires_token = is_vsock(address),
            .allow_uids = {},
            .hosts = settings.hosts,
            .any_host = !address.endpoint.is_tcp()};
}

} // namespace

Result<ListenAddress> parse_broker_address(const std::string& text) {
    const std::string_view all = text;
    if (all.starts_with(unix_prefix))
        return parse_listen_address(all);
    const bool is_tcp = all.starts_with(tcp_prefix);
    if (is_tcp || all.starts_with(vsock_prefix))
        if (Result<Endpoint> endpoint =
                is_tcp ? tcp_endpoint(all.substr(tcp_prefix.size()))
                       : vsock_endpoint("any:" + text.substr(vsock_prefix.size())))
            return ListenAddress{.path = {}, .endpoint = std::move(*endpoint)};
    return Error{"an address such as \"unix:/home/me/guest.sock\", \"tcp:172.16.0.1:498\" or "
                 "\"vsock:498\"",
                 EINVAL};
}

PublishListener::PublishListener(HttpServer& server, Host& host, BrokerListenSettings settings,
                                 UniqueFd listener)
    : server_(server)
    , host_(host)
    , settings_(std::move(settings))
    , address_(parse_broker_address(settings_.address).value_or({}))
    , access_(access_settings(settings_, address_))
    , id_(server_.add(std::move(listener), *this)) {}

PublishListener::~PublishListener() {
    for (const auto& [id, pending] : pending_)
        host_.cancel(pending.job);
}

UniqueFd PublishListener::retire() {
    is_retired_ = true;
    return server_.remove(id_);
}

std::optional<HttpAnswer> PublishListener::refused(const HttpRequest& request, HttpPeer& peer) {
    if (is_retired_)
        return answer_of(
            {http_status::unavailable, "SHUTTING_DOWN", "the host's configuration has changed"});
    if (std::optional<HttpAnswer> answer = access_.refused_as_web(request, peer))
        return reworded(std::move(*answer));
    if (AccessVerdict verdict = access_.check(request, peer); verdict.refusal)
        return reworded(std::move(*verdict.refusal));
    if (request.path != publish_path)
        return answer_of({http_status::not_found, "NOT_FOUND", "there is only /v1/publish"});
    if (request.method != "POST") {
        HttpAnswer answer =
            answer_of({http_status::no_method, "METHOD_NOT_ALLOWED", "only POST is understood"});
        answer.headers.emplace_back("Allow", "POST");
        return answer;
    }
    if (pending_.size() >= most_publications)
        return answer_of({http_status::unavailable, "NO_CONNECTION", "too many requests at once"});
    const bool is_small =
        !request.is_chunked && request.content_length.value_or(0) <= largest_small_publication;
    if (!is_small && large_.take(Clock::now()))
        return answer_of(
            {http_status::unavailable, "NO_CONNECTION",
             fmt::format("more than {} large requests a minute", most_large_publications)});
    return std::nullopt;
}

HttpAnswer PublishListener::worded(HttpAnswer refusal) const {
    return reworded(std::move(refusal));
}

HttpHeadVerdict PublishListener::begin(HttpRequestId id, const HttpRequest& request,
                                       HttpPeer& peer) {
    if (std::optional<HttpAnswer> answer = refused(request, peer))
        return {.refusal = std::move(answer), .max_body = 0};
    pending_.emplace(id, Pending{});
    return {.refusal = std::nullopt, .max_body = largest_envelope};
}

void PublishListener::body(HttpRequestId id, std::string_view piece) {
    pending_[id].body += piece;
}

void PublishListener::complete(HttpRequestId id) {
    const std::string text = std::exchange(pending_[id].body, {});
    if (is_outdated_) {
        pending_.erase(id);
        server_.answer(id, answer_of({http_status::unavailable, "SHUTTING_DOWN",
                                      "the host's configuration has changed"}));
        return;
    }
    const std::variant<Publication, BusError> publication = parse_publication(text);
    if (const BusError* const error = std::get_if<BusError>(&publication)) {
        pending_.erase(id);
        server_.answer(id, answer_of(*error));
        return;
    }
    const Publication& published = std::get<Publication>(publication);
    if (published.name_space != bus_namespace) {
        pending_.erase(id);
        server_.answer(id, answer_of({http_status::unavailable, "NO_CONNECTION",
                                      "nobody serves this namespace here, only ssh-agent"}));
    } else if (published.type == EnvelopeType::event) {
        // There is none that anything is done about.
        pending_.erase(id);
        server_.answer(id,
                       {.status = http_status::accepted, .body = "{}", .type = "application/json"});
    } else {
        publish(id, published.payload);
    }
}

void PublishListener::publish(HttpRequestId id, const std::string& payload) {
    Envelope request{.id = new_message_id(std::chrono::system_clock::now()),
                     .type = EnvelopeType::request,
                     .in_reply_to = {},
                     .payload = {},
                     .shed = {},
                     .guest = settings_.guest.name};
    const auto reply = [this, id, request](const std::string& answer) {
        pending_.erase(id);
        const auto now = std::chrono::system_clock::now();
        server_.answer(id, {.status = http_status::ok,
                            .body = to_json(response_to(request, answer, now), now),
                            .type = "application/json"});
    };
    const Result<GuestRequest> parsed = parse_request(payload);
    if (!parsed) {
        reply(error_payload(internal_error, parsed.error().message));
        return;
    }
    const Host::Id job = host_.handle(settings_.guest, !address_.is_unix(), *parsed, reply);
    if (const auto pending = pending_.find(id); pending != pending_.end())
        pending->second.job = job;
}

void PublishListener::gone(HttpRequestId id) {
    const auto pending = pending_.find(id);
    if (pending == pending_.end())
        return;
    host_.cancel(pending->second.job);
    pending_.erase(pending);
}

} // namespace livesock
