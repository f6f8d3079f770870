// Cuts a stream of bytes into one HTTP/1.1 response (RFC 9112).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// The longest head of a response.
inline constexpr std::size_t longest_response_head = 16 * 1024;

/// Holds one incomplete line at most, and nothing of the body: that is handed on as it comes.
class ResponseParser {
  public:
    enum class Step {
        more,      ///< the input is used up
        head,      ///< status() and type() are there
        body,      ///< piece() is the next part of the body, at least one byte
        complete,  ///< it is over
        malformed, ///< it is no HTTP response, or one of a kind that is not understood
    };
    /// Takes bytes from the front of `input` up to the next thing to tell.
    Step next(std::string_view& input);

    /// The other end has closed the connection: whether the response was complete, or is by that.
    bool at_end() const { return state_ == State::over || state_ == State::until_end; }

    int status() const { return status_; }
    /// The media type in lower case, without parameters; empty if it is not said.
    const std::string& type() const { return type_; }
    /// Valid for as long as the bytes of `input` are.
    std::string_view piece() const { return piece_; }

  private:
    enum class State {
        status_line,
        headers,
        length,     ///< a body of left_ bytes
        until_end,  ///< a body that the end of the connection ends
        chunk_size, ///< the line before a chunk
        chunk,      ///< left_ bytes of a chunk
        chunk_end,  ///< the end of line behind a chunk
        trailer,
        over,
        failed,
    };
    std::optional<std::string> take_line(std::string_view& input);
    Step take_body(std::string_view& input);
    Step on_line(const std::string& line);
    Step on_status_line(std::string_view line);
    Step on_header(std::string_view line);
    Step on_end_of_head();
    Step on_chunk_size(std::string_view line);
    Step fail();

    State state_ = State::status_line;
    std::string line_;
    std::size_t head_size_ = 0;
    int status_ = 0;
    std::string type_;
    std::optional<std::uint64_t> length_;
    bool is_chunked_ = false;
    std::uint64_t left_ = 0;
    std::string_view piece_;
};

} // namespace livesock
