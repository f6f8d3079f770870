#include "supervisor/http/http_connection.hpp"

#include "supervisor/base/next_word.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <sys/socket.h>

namespace livesock {
namespace {

/// One read takes at most this much. Shared by all connections: what is left in it after a read is
/// handed on, or copied.
constexpr std::size_t read_size = 32 * 1024;
char read_buffer[read_size];

constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

/// HTTP/1.0 had connections end with the answer. The header's options are told apart by commas.
bool asks_to_close(const HttpRequest& request) {
    if (request.is_http_1_0)
        return true;
    const std::string* const connection = request.header("connection");
    std::string options = connection != nullptr ? *connection : std::string();
    std::replace(options.begin(), options.end(), ',', ' ');
    std::string_view rest = options;
    for (std::string_view option = next_word(rest); !option.empty(); option = next_word(rest))
        if (is_same_word(option, "close"))
            return true;
    return false;
}

bool expects_go_on(const HttpRequest& request) {
    return request.header("expect") != nullptr && !request.is_http_1_0 && request.has_body();
}

} // namespace

HttpConnection::HttpConnection(HttpConnectionOwner& owner, HttpHandler& handler,
                               std::uint64_t listener, UniqueFd fd)
    : owner_(owner)
    , handler_(handler)
    , listener_(listener)
    , fd_(std::move(fd))
    , peer_(fd_.get())
    , waiting_since_(Clock::now())
    , readable_(owner.loop().on_readable(fd_.get(), [this] { on_readable(); }))
    , writable_(owner.loop().on_writable(fd_.get(), [this] { write_some(); }))
    , deadline_(owner.loop().timer([this] { on_deadline(); }))
    , next_(owner.loop().on_demand([this] { next_request(); })) {
    readable_.resume();
    deadline_.start(owner_.limits().request);
}

void HttpConnection::on_readable() {
    if (state_ == State::farewell) {
        discard();
        return;
    }
    if (state_ == State::answering) {
        // Its end is news; a further request can wait.
        char byte = 0;
        const ssize_t count = ::recv(fd_.get(), &byte, 1, MSG_PEEK);
        if (count == 0 || (count < 0 && !would_block(errno)))
            close();
        else if (count > 0)
            readable_.pause();
        return;
    }
    const ssize_t count = ::recv(fd_.get(), read_buffer, read_size, 0);
    if (count > 0)
        parse(std::string_view(read_buffer, static_cast<std::size_t>(count)));
    else if (count == 0 || !would_block(errno))
        close();
}

void HttpConnection::parse(std::string_view input) {
    if (state_ == State::idle) {
        state_ = State::head;
        waiting_since_ = Clock::now();
        deadline_.start(owner_.limits().request);
    }
    while (parse_step(input)) {
    }
    if (state_ == State::answering || state_ == State::writing)
        undelivered_ = input;
}

/// Whether there is more to parse now.
bool HttpConnection::parse_step(std::string_view& input) {
    switch (parser_.next(input)) {
    case RequestParser::Step::more:
        return false;
    case RequestParser::Step::head:
        on_head();
        break;
    case RequestParser::Step::body:
        on_piece();
        break;
    case RequestParser::Step::complete:
        state_ = State::answering;
        deadline_.pause(); // the handler has a limit of its own
        handler_.complete(request_);
        break;
    case RequestParser::Step::malformed:
        refuse_unseen(parser_.error().code, parser_.error().message);
        break;
    }
    return state_ == State::head || state_ == State::body;
}

void HttpConnection::on_head() {
    const HttpRequest& request = parser_.request();
    closes_ = closes_ || asks_to_close(request);
    wants_body_ = request.method != "HEAD";
    request_ = owner_.begin(*this);
    const HttpHeadVerdict verdict = handler_.begin(request_, request, peer_);
    if (verdict.refusal) {
        forget_request();
        refuse(*verdict.refusal, request.has_body() ? Rest::unknown : Rest::none);
        return;
    }
    max_body_ = verdict.max_body;
    body_size_ = 0;
    state_ = State::body;
    if (request.content_length.value_or(0) > max_body_)
        refuse_length();
    else if (expects_go_on(request))
        // If it does not fit the socket's buffer, the client sends its body without it.
        static_cast<void>(::send(fd_.get(), go_on.data(), go_on.size(), MSG_NOSIGNAL));
}

void HttpConnection::on_piece() {
    body_size_ += parser_.piece().size();
    if (body_size_ > max_body_)
        refuse_length();
    else
        handler_.body(request_, parser_.piece());
}

/// The handler is not asked any more.
void HttpConnection::forget_request() {
    if (request_ != 0)
        owner_.end(std::exchange(request_, 0));
}

/// Answers what the handler does not get to see, or not as a whole.
void HttpConnection::refuse(const HttpAnswer& answer, Rest rest) {
    if (const HttpRequestId request = request_; request != 0) {
        forget_request();
        handler_.gone(request);
    }
    handler_.answered(answer.status);
    if (rest == Rest::none) {
        std::string_view nothing;
        static_cast<void>(parser_.next(nothing)); // its end
    }
    send(answer, rest == Rest::unknown);
}

void HttpConnection::refuse_unseen(int status, std::string_view reason) {
    refuse(handler_.worded(refusal(status, reason)), Rest::unknown);
}

void HttpConnection::refuse_length() {
    refuse_unseen(413, fmt::format("the body is longer than {} bytes", max_body_));
}

void HttpConnection::answer(const HttpAnswer& answer) {
    if (state_ != State::answering)
        return;
    forget_request();
    send(answer, false);
}

void HttpConnection::send(const HttpAnswer& answer, bool then_close) {
    closes_ = closes_ || then_close;
    state_ = State::writing;
    waiting_since_ = Clock::now();
    unwritten_ = to_bytes(answer, closes_, wants_body_);
    written_ = 0;
    deadline_.start(owner_.limits().answer);
    readable_.pause();
    // From the loop: a handler may answer within its own complete().
    writable_.resume();
}

void HttpConnection::write_some() {
    const ssize_t count =
        ::send(fd_.get(), unwritten_.data() + written_, unwritten_.size() - written_, MSG_NOSIGNAL);
    if (count < 0 && would_block(errno))
        return;
    if (count < 0) {
        close();
        return;
    }
    written_ += static_cast<std::size_t>(count);
    if (written_ == unwritten_.size())
        on_written();
}

void HttpConnection::on_written() {
    writable_.pause();
    std::string().swap(unwritten_);
    wants_body_ = true;
    has_served_ = true;
    if (!closes_) {
        state_ = State::idle;
        waiting_since_ = Clock::now();
        deadline_.start(owner_.limits().idle);
        readable_.resume();
        if (!undelivered_.empty())
            next_.trigger();
        return;
    }
    std::string().swap(undelivered_);
    state_ = State::farewell;
    ::shutdown(fd_.get(), SHUT_WR);
    deadline_.start(owner_.limits().farewell);
    readable_.resume();
}

/// What has come behind the former request.
void HttpConnection::next_request() {
    if (state_ != State::idle)
        return;
    const std::string input = std::exchange(undelivered_, {});
    parse(input);
}

void HttpConnection::discard() {
    const ssize_t count = ::recv(fd_.get(), read_buffer, read_size, 0);
    if (count == 0 || (count < 0 && !would_block(errno)))
        close();
}

void HttpConnection::on_deadline() {
    if (state_ == State::head || state_ == State::body)
        refuse_unseen(408, "the request did not come in time");
    else
        close();
}

void HttpConnection::close_when_idle() {
    closes_ = true;
    if (state_ != State::idle)
        return;
    char byte = 0;
    // A request that has come, and that of a client that has just connected, is still served.
    if (has_served_ && ::recv(fd_.get(), &byte, 1, MSG_PEEK) <= 0)
        close();
    else
        deadline_.start(owner_.limits().farewell);
}

std::optional<HttpConnection::Waiting> HttpConnection::waits_for_client() const {
    switch (state_) {
    case State::idle:
    case State::head:
    case State::writing: // a client that reads is here for a moment only
    case State::farewell:
        return Waiting{waiting_since_, false};
    case State::body:
        return Waiting{waiting_since_, true};
    case State::answering:
    case State::closed:
        return std::nullopt;
    }
    return std::nullopt;
}

void HttpConnection::close() {
    if (state_ == State::closed)
        return;
    state_ = State::closed;
    readable_.pause();
    writable_.pause();
    deadline_.pause();
    next_.pause();
    fd_.reset();
    std::string().swap(unwritten_);
    std::string().swap(undelivered_);
    if (const HttpRequestId request = request_; request != 0) {
        forget_request();
        handler_.gone(request);
    }
    owner_.closed(*this);
}

} // namespace livesock
