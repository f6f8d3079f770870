// Cuts a stream of bytes into HTTP/1.1 requests (RFC 9112), strictly: what two programs could read
// in two ways is malformed.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/http/request.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace livesock {

/// The longest head, and the most headers in it.
inline constexpr std::size_t longest_http_head = 16 * 1024;
inline constexpr std::size_t most_http_headers = 64;

/// The request that `head` (its lines, with the empty one that ends it) begins. Error::code is the
/// status to answer with.
[[nodiscard]] Result<HttpRequest> parse_http_head(std::string_view head);

/// Holds at most one incomplete head, and nothing of a body.
class RequestParser {
  public:
    enum class Step {
        more,      ///< the input is used up
        head,      ///< request() is there
        body,      ///< piece() is the next part of its body, at least one byte
        complete,  ///< it is over; the next begins with the next byte
        malformed, ///< there is no next one, ever: error() says why
    };
    /// Takes bytes from the front of `input` up to the next thing to tell.
    Step next(std::string_view& input);

    const HttpRequest& request() const { return request_; }
    /// Valid for as long as the bytes of `input` are.
    std::string_view piece() const { return piece_; }
    /// Error::code is the status to answer with.
    const Error& error() const { return error_; }

  private:
    enum class State {
        head,       ///< partial_ holds what has come of it
        length,     ///< a body of left_ bytes
        chunk_size, ///< the line before a chunk, in partial_
        chunk,      ///< left_ bytes of a chunk
        chunk_end,  ///< the end of line behind a chunk
        trailer,    ///< lines behind the last chunk
        failed,
    };
    Step take_head(std::string_view& input);
    Step take_body(std::string_view& input);
    Step take_chunk_line(std::string_view& input);
    bool take_line_of_chunks();
    Step end();
    Step fail(const char* why);
    bool take_line(std::string_view& input, std::size_t limit);

    State state_ = State::head;
    std::string partial_;
    HttpRequest request_;
    std::string_view piece_;
    std::uint64_t left_ = 0;
    std::size_t trailer_size_ = 0;
    bool too_long_ = false; // the line in partial_
    Error error_;
};

} // namespace livesock
