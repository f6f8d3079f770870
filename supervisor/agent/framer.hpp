// Cuts a stream of bytes into the messages of the agent protocol.
#pragma once

#include "supervisor/agent/message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// Holds at most one incomplete message, and only as many bytes of it as have arrived: what a
/// length field claims costs nothing.
class Framer {
  public:
    /// Takes bytes from the front of `input` up to the end of the next message and returns that
    /// message; nothing if `input` was used up before its end, or if the stream is malformed. The
    /// message is valid until the next call and for as long as `input`'s bytes are.
    std::optional<Message> next(std::string_view& input);

    /// A length of zero or beyond longest_message was met: there is no next message, ever.
    bool malformed() const { return malformed_; }

    /// A message has begun and is not complete.
    bool in_message() const { return !complete_ && !partial_.empty(); }

  private:
    bool take(std::string_view& input, std::size_t wanted);

    std::string partial_;
    bool complete_ = false; // partial_ holds the message returned last
    bool malformed_ = false;
};

} // namespace livesock
