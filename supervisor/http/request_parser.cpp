#include "supervisor/http/request_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace livesock {
namespace {

/// The line before a chunk, with its extension, which nobody reads.
constexpr std::size_t longest_chunk_line = 256;
/// All that stands behind the last chunk.
constexpr std::size_t longest_trailer = 4096;

constexpr std::string_view end_of_line = "\r\n";
constexpr std::string_view end_of_head = "\r\n\r\n";

/// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               marks.find(c) != std::string_view::npos;
    });
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// As a line of text may not have one: another program may end its lines there.
bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\t'; });
}

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

Error malformed(const char* why) {
    return Error{why, 400};
}

/// Such a header decides something: two of them could be read in two ways.
bool may_repeat(std::string_view name) {
    constexpr std::array<std::string_view, 10> repeatable = {
        "accept", "accept-encoding", "accept-language", "cache-control", "cookie", "forwarded",
        "via",    "x-forwarded-for", "warning",         "pragma"};
    return std::find(repeatable.begin(), repeatable.end(), name) != repeatable.end();
}

Result<void> parse_request_line(std::string_view line, HttpRequest& request) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return malformed("the request line is malformed");
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!is_token(method) || (version != "HTTP/1.1" && version != "HTTP/1.0"))
        return malformed("the request line is malformed, or the version is not HTTP/1.1");
    const bool is_plain = std::none_of(target.begin(), target.end(), [](char c) {
        return is_control(c) || c == ' ' || c == '#' || static_cast<unsigned char>(c) > 0x7e;
    });
    if (!target.starts_with('/') || !is_plain)
        return malformed("the target of the request is not a path");
    request.method = method;
    request.is_http_1_0 = version == "HTTP/1.0";
    request.path = target.substr(0, target.find('?'));
    if (request.path.size() < target.size())
        request.query = target.substr(request.path.size() + 1);
    return {};
}

Result<void> parse_header(std::string_view line, HttpRequest& request) {
    const std::size_t colon = line.find(':');
    // A line that begins with a blank goes on with the one before, for old programs: not here.
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
        return malformed("a header is malformed");
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && is_blank(value.front()))
        value.remove_prefix(1);
    while (!value.empty() && is_blank(value.back()))
        value.remove_suffix(1);
    if (has_control(value))
        return malformed("a header has a control character in it");
    std::string name = lower_case(line.substr(0, colon));
    if (request.header(name) != nullptr && !may_repeat(name))
        return malformed("a header is there twice");
    if (request.headers.size() == most_http_headers)
        return malformed("there are too many headers");
    request.headers.push_back({std::move(name), std::string(value)});
    return {};
}

Result<void> parse_framing(HttpRequest& request) {
    if (const std::string* const coding = request.header("transfer-encoding")) {
        // RFC 9112, section 6.1: a request with both may be an attempt to smuggle another.
        if (lower_case(*coding) != "chunked" || request.is_http_1_0 ||
            request.header("content-length") != nullptr)
            return malformed("only 'Transfer-Encoding: chunked' is known, and no length with it");
        request.is_chunked = true;
    }
    if (const std::string* const text = request.header("content-length")) {
        std::size_t length = 0;
        const char* const end = text->data() + text->size();
        const auto [rest, problem] = std::from_chars(text->data(), end, length);
        if (problem != std::errc() || rest != end)
            return malformed("Content-Length is not a number");
        request.content_length = length;
    }
    return {};
}

} // namespace

Result<HttpRequest> parse_http_head(std::string_view head) {
    HttpRequest request;
    bool is_first = true;
    while (head != end_of_line) {
        const std::size_t length = head.find(end_of_line);
        if (length == std::string_view::npos)
            return malformed("the head of the request has no end");
        const std::string_view line = head.substr(0, length);
        head.remove_prefix(length + end_of_line.size());
        const Result<void> parsed =
            is_first ? parse_request_line(line, request) : parse_header(line, request);
        if (!parsed)
            return parsed.error();
        is_first = false;
    }
    if (is_first)
        return malformed("the request is empty");
    if (request.header("host") == nullptr)
        return malformed("the request has no Host");
    if (Result<void> framed = parse_framing(request); !framed)
        return framed.error();
    return request;
}

RequestParser::Step RequestParser::next(std::string_view& input) {
    piece_ = {};
    switch (state_) {
    case State::head:
        return take_head(input);
    case State::length:
    case State::chunk:
        return take_body(input);
    case State::chunk_size:
    case State::chunk_end:
    case State::trailer:
        return take_chunk_line(input);
    case State::failed:
        return Step::malformed;
    }
    return Step::malformed;
}

RequestParser::Step RequestParser::take_head(std::string_view& input) {
    if (input.empty())
        return Step::more;
    // Its end may lie across what came before and what comes now.
    const std::size_t before = partial_.size();
    const std::size_t taken = std::min(input.size(), longest_http_head - before);
    partial_ += input.substr(0, taken);
    const std::size_t from = before < end_of_head.size() ? 0 : before - end_of_head.size();
    const std::size_t end = partial_.find(end_of_head, from);
    if (end == std::string::npos) {
        input.remove_prefix(taken);
        return partial_.size() < longest_http_head ? Step::more
                                                   : fail("the head of the request is too long");
    }
    input.remove_prefix(end + end_of_head.size() - before);
    partial_.resize(end + end_of_head.size());
    Result<HttpRequest> request = parse_http_head(partial_);
    std::string().swap(partial_);
    if (!request) {
        error_ = request.error();
        state_ = State::failed;
        return Step::malformed;
    }
    request_ = std::move(*request);
    left_ = request_.content_length.value_or(0);
    trailer_size_ = 0;
    state_ = request_.is_chunked ? State::chunk_size : State::length;
    return Step::head;
}

RequestParser::Step RequestParser::take_body(std::string_view& input) {
    if (left_ == 0 && state_ == State::length)
        return end();
    if (input.empty())
        return Step::more;
    piece_ = input.substr(0, std::min<std::uint64_t>(left_, input.size()));
    input.remove_prefix(piece_.size());
    left_ -= piece_.size();
    if (left_ == 0 && state_ == State::chunk)
        state_ = State::chunk_end;
    return Step::body;
}

/// Whether partial_ now holds a whole line, without its end. It may be too long.
bool RequestParser::take_line(std::string_view& input, std::size_t limit) {
    while (!input.empty()) {
        partial_ += input.front();
        input.remove_prefix(1);
        if (partial_.ends_with(end_of_line)) {
            partial_.resize(partial_.size() - end_of_line.size());
            return true;
        }
        if (partial_.size() > limit) {
            too_long_ = true;
            return true;
        }
    }
    return false;
}

RequestParser::Step RequestParser::take_chunk_line(std::string_view& input) {
    while (take_line(input, longest_chunk_line)) {
        if (!take_line_of_chunks())
            return fail("the chunks of the body are malformed");
        if (state_ == State::head)
            return end();
        if (state_ == State::chunk)
            return take_body(input);
    }
    return Step::more;
}

/// Goes on to what follows the line in partial_; whether that line is right.
bool RequestParser::take_line_of_chunks() {
    const std::string line = std::exchange(partial_, {});
    trailer_size_ += line.size() + end_of_line.size();
    if (too_long_ || has_control(line) ||
        (state_ == State::trailer && trailer_size_ > longest_trailer))
        return false;
    if (state_ == State::trailer) {
        state_ = line.empty() ? State::head : State::trailer;
        return true;
    }
    if (state_ == State::chunk_end) {
        state_ = State::chunk_size;
        return line.empty();
    }
    // Behind a ';' stands an extension, which nobody reads.
    const std::string_view digits =
        std::string_view(line).substr(0, std::min(line.find(';'), line.size()));
    const auto [rest, problem] =
        std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
    trailer_size_ = 0;
    state_ = left_ == 0 ? State::trailer : State::chunk;
    return problem == std::errc() && rest == digits.data() + digits.size();
}

RequestParser::Step RequestParser::end() {
    state_ = State::head;
    std::string().swap(partial_);
    return Step::complete;
}

RequestParser::Step RequestParser::fail(const char* why) {
    error_ = malformed(why);
    state_ = State::failed;
    std::string().swap(partial_);
    return Step::malformed;
}

} // namespace livesock
