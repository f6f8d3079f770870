#include "supervisor/broker/bus_agent.hpp"

#include "supervisor/agent/wire.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/broker/envelope.hpp"
#include "supervisor/broker/payload.hpp"
#include "supervisor/http/status.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

constexpr auto ping_limit = 2s;
constexpr auto list_limit = 3s;

/// What a user can do about it.
std::string_view remedy(int status, const std::string& code) {
    if (status == http_status::unauthorized)
        return ": compare token_file with the token that the host has made";
    if (status == http_status::gateway_timeout || code == "TIMEOUT")
        return ": the host agent may not be running, or it waits for its user";
    if (status == http_status::unavailable)
        return ": the host agent may not be running";
    return "";
}

GuestRequest request_for(const Message& message, bool& is_well_formed) {
    GuestRequest request{.operation = Operation::list, .key = {}, .data = {}};
    is_well_formed = true;
    if (kind_of(message) == RequestKind::query)
        request.operation = Operation::ping;
    if (kind_of(message) != RequestKind::sign)
        return request;
    WireReader reader(message.contents());
    const auto key = reader.string();
    const auto data = key ? reader.string() : std::nullopt;
    const auto flags = data ? reader.uint32() : std::nullopt;
    is_well_formed = flags && reader.at_end();
    if (is_well_formed)
        request = {Operation::sign, std::string(*key), std::string(*data), *flags};
    return request;
}

bool is_carried(const Message& message) {
    switch (kind_of(message)) {
    case RequestKind::list:
    case RequestKind::sign:
    case RequestKind::query:
        return true;
    case RequestKind::session_bind:
    case RequestKind::other:
        return false;
    }
    return false;
}

} // namespace

/// One connection: a request of its caller is with the bus, or none is.
class BusAgent::Caller {
  public:
    Caller(BusAgent& owner, UniqueFd fd)
        : owner_(owner)
        , stream_(owner.loop_, std::move(fd),
                  {.message = [this](const Message& message) { on_request(message); },
                   .end = [this](MessageStream::End) { finish(); },
                   .drained = [] {}}) {
        stream_.start();
    }

    bool is_over() const { return is_over_; }

  private:
    void on_request(const Message& message);
    void post(const GuestRequest& request);
    void on_piece(std::string_view piece);
    void on_end(const std::string& trouble);
    void on_response();
    void on_payload(const std::string& payload);
    void on_list(const std::string& payload);
    void on_sign(const std::string& payload);
    void answer(const std::string& frame);
    void fail(std::string why);
    void finish();

    BusAgent& owner_;
    MessageStream stream_;
    GuestRequest request_;
    bool is_first_ping_ = false; // before request_
    std::unique_ptr<HttpExchange> exchange_;
    std::unique_ptr<HttpExchange> former_; // may be in its callback
    int status_ = 0;
    std::string body_;
    bool is_over_ = false;
};

void BusAgent::Caller::on_request(const Message& message) {
    bool is_well_formed = false;
    request_ = request_for(message, is_well_formed);
    if (!is_carried(message) || !is_well_formed) {
        stream_.send(failure_frame());
        return;
    }
    stream_.hold();
    is_first_ping_ = !owner_.is_met_ && request_.operation != Operation::ping;
    if (is_first_ping_)
        post({.operation = Operation::ping, .key = {}, .data = {}});
    else
        post(request_);
}

void BusAgent::Caller::post(const GuestRequest& request) {
    Duration limit = ping_limit;
    if (request.operation == Operation::list)
        limit = list_limit;
    if (request.operation == Operation::sign)
        limit = owner_.sign_limit_();
    status_ = 0;
    body_.clear();
    former_ = std::move(exchange_);
    exchange_ = std::make_unique<HttpExchange>(
        owner_.loop_, owner_.url_,
        HttpCall{.method = "POST",
                 .path = {},
                 .body = publication_of(to_payload(request)),
                 .token = owner_.token_,
                 .server_uids = owner_.server_uids_},
        limit, true,
        HttpExchange::Callbacks{
            .head = [this](int status, const std::string&) { status_ = status; },
            .piece = [this](std::string_view piece) { on_piece(piece); },
            .end = [this](const std::string& trouble) { on_end(trouble); }});
}

void BusAgent::Caller::on_piece(std::string_view piece) {
    if (body_.size() + piece.size() > largest_envelope) {
        exchange_->cancel();
        fail(fmt::format("the bus at {} answers with more than {} bytes", owner_.url_.endpoint.text,
                         largest_envelope));
        return;
    }
    body_ += piece;
}

void BusAgent::Caller::on_end(const std::string& trouble) {
    if (is_over_)
        return;
    if (!trouble.empty() && exchange_->is_distrusted())
        fail(trouble + ": if that is to be, add it to upstream.server_uids");
    else if (!trouble.empty())
        fail(fmt::format("{}; is the guest's side of the bus running?", trouble));
    else if (status_ != http_status::ok) {
        const BusError error = parse_bus_error(status_, body_);
        fail(fmt::format("the bus at {} answers {}{}{}{}{}{}", owner_.url_.endpoint.text, status_,
                         error.code.empty() ? "" : " ", error.code,
                         error.message.empty() ? "" : ", ", error.message,
                         remedy(status_, error.code)));
    } else {
        on_response();
    }
}

void BusAgent::Caller::on_response() {
    const Result<Envelope> envelope = parse_envelope(body_);
    std::string flaw;
    if (!envelope)
        flaw = envelope.error().message;
    else if (envelope->type != EnvelopeType::response)
        flaw = "the message is no response";
    else if (!envelope->is_final)
        flaw = "the message is a part of a response, and others were to follow";
    if (flaw.empty())
        on_payload(envelope->payload);
    else
        fail(fmt::format("the bus at {}: {}", owner_.url_.endpoint.text, flaw));
}

void BusAgent::Caller::on_payload(const std::string& payload) {
    if (is_first_ping_ || request_.operation == Operation::ping) {
        const Result<void> alive = parse_ping_answer(payload);
        if (!alive) {
            fail(
                fmt::format("the bus at {}: {}", owner_.url_.endpoint.text, alive.error().message));
            return;
        }
    }
    owner_.is_met_ = true;
    owner_.trouble_.clear();
    if (std::exchange(is_first_ping_, false))
        post(request_);
    else if (request_.operation == Operation::ping)
        answer(failure_frame()); // which extensions there are: none
    else if (request_.operation == Operation::list)
        on_list(payload);
    else
        on_sign(payload);
}

void BusAgent::Caller::on_list(const std::string& payload) {
    const Result<std::vector<Identity>> identities = parse_list_answer(payload);
    if (identities)
        answer(identities_frame(*identities));
    else
        fail(fmt::format("the bus at {}: {}", owner_.url_.endpoint.text,
                         identities.error().message));
}

void BusAgent::Caller::on_sign(const std::string& payload) {
    const Result<Signature> signature = parse_sign_answer(payload);
    if (signature)
        answer(
            make_frame(MessageType::sign_response, WireWriter().string(join(*signature)).bytes()));
    else
        fail(
            fmt::format("the bus at {}: {}", owner_.url_.endpoint.text, signature.error().message));
}

void BusAgent::Caller::answer(const std::string& frame) {
    stream_.send(frame);
    stream_.release();
}

void BusAgent::Caller::fail(std::string why) {
    // Whether the bus, or who has closed the connection, has put it before a person, nobody knows.
    if (request_.operation == Operation::sign && !is_first_ping_ && exchange_->was_sent()) {
        log::info("a sign request is answered with a failure: {}", why);
        answer(failure_frame());
        return;
    }
    owner_.trouble_ = std::move(why);
    owner_.is_met_ = false;
    finish();
}

void BusAgent::Caller::finish() {
    if (is_over_)
        return;
    is_over_ = true;
    stream_.close();
    if (exchange_)
        exchange_->cancel();
    owner_.sweep_.trigger();
}

BusAgent::BusAgent(EventLoop& loop, HttpUrl url, std::string token, std::vector<uid_t> server_uids,
                   std::function<std::chrono::milliseconds()> sign_limit)
    : loop_(loop)
    , url_(std::move(url))
    , token_(std::move(token))
    , server_uids_(std::move(server_uids))
    , sign_limit_(std::move(sign_limit))
    , sweep_(loop.on_demand([this] { sweep(); })) {}

BusAgent::~BusAgent() = default;

Result<AgentConnection> BusAgent::connect() {
    if (callers_.size() >= most_bus_connections)
        return Error{fmt::format("there are {} connections to the bus at {} already",
                                 callers_.size(), url_.endpoint.text),
                     EAGAIN};
    Result<std::pair<UniqueFd, UniqueFd>> ends = connected_pair();
    if (!ends)
        return ends.error();
    callers_.push_back(std::make_unique<Caller>(*this, std::move(ends->second)));
    return AgentConnection{std::move(ends->first), 0};
}

void BusAgent::sweep() {
    std::erase_if(callers_, [](const auto& caller) { return caller->is_over(); });
}

} // namespace livesock
