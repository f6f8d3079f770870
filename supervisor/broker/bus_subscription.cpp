#include "supervisor/broker/bus_subscription.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/http/status.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view messages_path = "/api/plugins/listeners/ssh-agent/messages";
constexpr std::string_view respond_path = "/api/plugins/listeners/ssh-agent/respond";

constexpr auto subscribe_limit = 5s;
constexpr auto respond_limit = 5s;

/// A server may lie below a path.
std::string path_below(const HttpUrl& server, std::string_view path) {
    std::string base = server.path;
    while (base.ends_with('/'))
        base.pop_back();
    return base.append(path);
}

} // namespace

BusSubscription::BusSubscription(EventLoop& loop, Host& host, HttpUrl server,
                                 std::vector<uid_t> server_uids, Guests guests)
    : loop_(loop)
    , host_(host)
    , server_(std::move(server))
    , server_uids_(std::move(server_uids))
    , guests_(std::move(guests))
    , events_(largest_envelope)
    , trouble_("it is being connected to")
    , again_(loop.timer([this] { subscribe(); }))
    , sweep_(loop.on_demand([this] { sweep(); })) {
    subscribe();
}

BusSubscription::~BusSubscription() {
    for (const auto& [number, job] : jobs_)
        host_.cancel(job);
}

void BusSubscription::retire() {
    is_retired_ = true;
    again_.pause();
    if (stream_)
        stream_->cancel();
    if (!is_connected_)
        unposted_.clear();
}

void BusSubscription::subscribe() {
    events_ = EventStream(largest_envelope);
    stream_ = std::make_unique<HttpExchange>(
        loop_, server_,
        HttpCall{.method = "GET",
                 .path = path_below(server_, messages_path),
                 .server_uids = server_uids_},
        subscribe_limit, false,
        HttpExchange::Callbacks{
            .head = [this](int status, const std::string& type) { on_head(status, type); },
            .piece = [this](std::string_view piece) { on_piece(piece); },
            .end = [this](const std::string& trouble) { on_end(trouble); }});
}

void BusSubscription::on_head(int status, const std::string& type) {
    if (status != http_status::ok || type != "text/event-stream") {
        stream_->cancel();
        on_end(fmt::format("{} answers {}, and no event stream", server_.endpoint.text, status));
        return;
    }
    is_connected_ = true;
    connected_at_ = Clock::now();
    trouble_.clear();
    told_.clear();
    post_next();
    log::info("the bus at {} is subscribed to: guests' requests are served", name());
}

void BusSubscription::on_piece(std::string_view piece) {
    while (const std::optional<StreamEvent> event = events_.next(piece))
        if (event->type == "message")
            on_event(event->data);
    if (events_.take_left_out() > 0 && lines_.take(Clock::now()))
        log::warning("the bus at {} sent a message of more than {} bytes, ignoring it", name(),
                     largest_envelope);
}

void BusSubscription::on_end(const std::string& trouble) {
    if (stream_->is_distrusted())
        try_later(trouble + ": if that is to be, add it to broker.server_uids");
    else
        try_later(fmt::format("{}; is the bus's server running?",
                              trouble.empty() ? name() + " has ended the event stream" : trouble));
}

void BusSubscription::try_later(std::string why) {
    const bool was_connected = std::exchange(is_connected_, false);
    const Duration pause =
        pause_.after(was_connected ? std::optional(Clock::now() - connected_at_) : std::nullopt);
    trouble_ = std::move(why);
    if (trouble_ != told_)
        log::warning("guests' requests are not served: {} (tried again after {})", trouble_,
                     format_duration(pause));
    told_ = trouble_;
    again_.start(pause);
}

void BusSubscription::on_event(const std::string& data) {
    const Result<Envelope> envelope = parse_envelope(data, most_request_values);
    if (!envelope) {
        if (lines_.take(Clock::now()))
            log::warning("from the bus at {}: {}, ignoring it", name(), envelope.error().message);
        // Whoever waits for an answer is told, if it can be told who.
        if (const std::optional<Envelope> asker = salvage_request(data))
            respond(*asker, error_payload(internal_error, envelope.error().message));
        return;
    }
    // Events, and the answers of others, are not for us.
    if (envelope->type == EnvelopeType::request && !is_known(envelope->id))
        serve(*envelope);
}

void BusSubscription::serve(const Envelope& request) {
    if (!request.is_final) {
        respond(request, error_payload(internal_error, "requests in parts are not understood"));
        return;
    }
    const Result<GuestRequest> parsed = parse_request(request.payload);
    if (!parsed) {
        respond(request, error_payload(internal_error, parsed.error().message));
        return;
    }
    const std::uint64_t number = next_number_++;
    jobs_.emplace(number, Host::Id(0));
    // Without the payload, which nobody needs twice.
    const Envelope asker{.id = request.id,
                         .type = request.type,
                         .in_reply_to = {},
                         .is_final = request.is_final,
                         .payload = {},
                         .shed = request.shed,
                         .guest = request.guest};
    const Host::Id job = host_.handle(guest_of(request), true, *parsed,
                                      [this, number, asker](const std::string& payload) {
                                          jobs_.erase(number);
                                          respond(asker, payload);
                                      });
    // It may be over by now.
    if (const auto under_way = jobs_.find(number); under_way != jobs_.end())
        under_way->second = job;
}

const GuestSettings& BusSubscription::guest_of(const Envelope& request) const {
    const auto named =
        std::find_if(guests_.named.begin(), guests_.named.end(),
                     [&](const GuestSettings& guest) { return guest.name == request.guest; });
    return named == guests_.named.end() ? guests_.others : *named;
}

bool BusSubscription::is_known(const std::string& id) {
    if (!known_.insert(id).second) {
        if (lines_.take(Clock::now()))
            log::info("the bus at {} sent the request {} again, ignoring it", name(), id);
        return true;
    }
    known_in_order_.push_back(id);
    if (known_in_order_.size() > most_known_ids) {
        known_.erase(known_in_order_.front());
        known_in_order_.pop_front();
    }
    return false;
}

void BusSubscription::respond(const Envelope& request, const std::string& payload) {
    const auto now = std::chrono::system_clock::now();
    if (is_retired_ && !is_connected_)
        return; // nobody will subscribe again
    const std::string& guest = guest_of(request).name;
    const auto waiting = std::count_if(unposted_.begin(), unposted_.end(),
                                       [&](const Answer& answer) { return answer.guest == guest; });
    if (waiting >= static_cast<std::ptrdiff_t>(most_guest_unposted) ||
        unposted_.size() >= most_unposted) {
        if (lines_.take(Clock::now()))
            log::warning("{} answers wait for the bus at {} already, {} of them to '{}', dropping "
                         "one to it",
                         unposted_.size(), name(), waiting, escaped(guest));
        return;
    }
    unposted_.push_back({guest, to_json(response_to(request, payload, now), now)});
    post_next();
}

/// Where there is no stream there is no server.
void BusSubscription::post_next() {
    while (is_connected_ && !unposted_.empty() && posts_.size() < most_posts) {
        posts_.push_back(std::make_unique<Post>());
        Post& post = *posts_.back();
        post.body = std::move(unposted_.front().body);
        unposted_.pop_front();
        send(post);
    }
}

void BusSubscription::send(Post& post) {
    post.former = std::move(post.exchange);
    post.exchange = std::make_unique<HttpExchange>(
        loop_, server_,
        HttpCall{.method = "POST",
                 .path = path_below(server_, respond_path),
                 .body = post.body,
                 .server_uids = server_uids_},
        respond_limit, true,
        HttpExchange::Callbacks{
            .head = [&post](int status, const std::string&) { post.status = status; },
            .piece = [](std::string_view) {},
            .end = [this, &post](const std::string& trouble) { on_posted(post, trouble); }});
}

void BusSubscription::on_posted(Post& post, const std::string& trouble) {
    const bool was_taken = trouble.empty() && post.status < http_status::first_of_no_success;
    // A server that was restarted under it takes it the second time.
    if (!was_taken && !post.exchange->was_sent() && !std::exchange(post.was_tried, true)) {
        send(post);
        return;
    }
    if (!was_taken && lines_.take(Clock::now()))
        log::warning("an answer does not reach the bus at {}: {}", name(),
                     trouble.empty() ? fmt::format("it answers {}", post.status) : trouble);
    post.is_over = true;
    sweep_.trigger();
}

void BusSubscription::sweep() {
    std::erase_if(posts_, [](const auto& post) { return post->is_over; });
    post_next();
}

} // namespace livesock
