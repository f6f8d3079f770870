#include "supervisor/http/response_parser.hpp"

#include "supervisor/base/number.hpp"
#include "supervisor/http/request.hpp"

#include <algorithm>
#include <utility>

namespace livesock {
namespace {

constexpr std::string_view versions[] = {"HTTP/1.1 ", "HTTP/1.0 "};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

} // namespace

ResponseParser::Step ResponseParser::next(std::string_view& input) {
    if (state_ == State::failed)
        return Step::malformed;
    if (state_ == State::over)
        return Step::complete;
    if (state_ == State::length || state_ == State::until_end || state_ == State::chunk)
        return take_body(input);
    while (const std::optional<std::string> line = take_line(input)) {
        const Step step = on_line(*line);
        if (step != Step::more)
            return step;
        if (state_ == State::length || state_ == State::until_end || state_ == State::chunk)
            return take_body(input);
    }
    return state_ == State::failed ? Step::malformed : Step::more;
}

std::optional<std::string> ResponseParser::take_line(std::string_view& input) {
    const std::size_t end = input.find('\n');
    const std::size_t count = end == std::string_view::npos ? input.size() : end + 1;
    head_size_ += count;
    if (head_size_ > longest_response_head) {
        state_ = State::failed;
        return std::nullopt;
    }
    line_ += input.substr(0, count);
    input.remove_prefix(count);
    if (end == std::string_view::npos)
        return std::nullopt;
    std::string line = std::exchange(line_, {});
    line.pop_back();
    if (line.ends_with('\r'))
        line.pop_back();
    return line;
}

ResponseParser::Step ResponseParser::take_body(std::string_view& input) {
    if (state_ != State::until_end && left_ == 0) {
        state_ = state_ == State::length ? State::over : State::chunk_end;
        return next(input);
    }
    if (input.empty())
        return Step::more;
    const std::size_t most =
        state_ == State::until_end
            ? input.size()
            : static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
    piece_ = input.substr(0, most);
    input.remove_prefix(most);
    left_ -= state_ == State::until_end ? 0 : most;
    return Step::body;
}

ResponseParser::Step ResponseParser::on_line(const std::string& line) {
    if (line.find('\0') != std::string::npos || line.find('\r') != std::string::npos)
        return fail();
    switch (state_) {
    case State::status_line:
        return on_status_line(line);
    case State::headers:
        return line.empty() ? on_end_of_head() : on_header(line);
    case State::chunk_size:
        return on_chunk_size(line);
    case State::chunk_end:
        if (!line.empty())
            return fail();
        state_ = State::chunk_size;
        head_size_ = 0;
        return Step::more;
    case State::trailer:
        if (line.empty())
            state_ = State::over;
        return line.empty() ? Step::complete : Step::more;
    case State::length:
    case State::until_end:
    case State::chunk:
    case State::over:
    case State::failed:
        break;
    }
    return fail();
}

ResponseParser::Step ResponseParser::on_status_line(std::string_view line) {
    const bool is_http = std::any_of(std::begin(versions), std::end(versions),
                                     [&](auto version) { return line.starts_with(version); });
    if (!is_http || line.size() < 12 || (line.size() > 12 && line[12] != ' '))
        return fail();
    const std::optional<int> status = parse_number<int>(line.substr(9, 3));
    if (!status || *status < 100)
        return fail();
    status_ = *status;
    state_ = State::headers;
    return Step::more;
}

ResponseParser::Step ResponseParser::on_header(std::string_view line) {
    const std::size_t colon = line.find(':');
    // A line that goes on with the one before, or a name that ends in a blank: obsolete, and a way
    // to be read in two ways.
    if (colon == std::string_view::npos || colon == 0 ||
        line.substr(0, colon).find_first_of(" \t") != std::string_view::npos)
        return fail();
    const std::string name = lower_case(line.substr(0, colon));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (name == "content-length") {
        const auto length = parse_number<std::uint64_t>(value);
        if (!length || (length_ && *length_ != *length))
            return fail();
        length_ = length;
    } else if (name == "transfer-encoding") {
        if (is_chunked_ || lower_case(value) != "chunked")
            return fail();
        is_chunked_ = true;
    } else if (name == "content-type") {
        type_ = lower_case(trimmed(value.substr(0, value.find(';'))));
    } else if (name == "content-encoding" && lower_case(value) != "identity") {
        return fail();
    }
    return Step::more;
}

ResponseParser::Step ResponseParser::on_end_of_head() {
    head_size_ = 0;
    if (status_ < 200) { // another one follows, but after 101 something else does
        if (status_ == 101)
            return fail();
        state_ = State::status_line;
        type_.clear();
        length_.reset();
        is_chunked_ = false;
        return Step::more;
    }
    if (is_chunked_ && length_)
        return fail();
    left_ = length_.value_or(0);
    if (status_ == 204 || status_ == 304)
        state_ = State::over;
    else if (is_chunked_)
        state_ = State::chunk_size;
    else
        state_ = length_ ? State::length : State::until_end;
    return Step::head;
}

ResponseParser::Step ResponseParser::on_chunk_size(std::string_view line) {
    const auto size = parse_number<std::uint64_t>(trimmed(line.substr(0, line.find(';'))), 16);
    if (!size)
        return fail();
    left_ = *size;
    state_ = *size == 0 ? State::trailer : State::chunk;
    head_size_ = 0;
    return Step::more;
}

ResponseParser::Step ResponseParser::fail() {
    state_ = State::failed;
    return Step::malformed;
}

} // namespace livesock
