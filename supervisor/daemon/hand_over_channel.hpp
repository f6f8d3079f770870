// What a supervisor and its successor say to each other, and the descriptors that go with it.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livesock {

/// One message. The two programs may differ in version: a kind that is not known, and fields beyond
/// those that are, are passed over.
struct HandOverMessage {
    std::string kind;
    std::vector<std::string> fields = {};
    std::vector<UniqueFd> fds = {};

    /// The field `index`, empty if there is none.
    std::string_view field(std::size_t index) const {
        return index < fields.size() ? std::string_view(fields[index]) : std::string_view();
    }
};

/// Kind and fields as the bytes of a datagram.
[[nodiscard]] std::string encode_message(std::string_view kind,
                                         std::span<const std::string> fields);
/// The reverse; Error::code is EBADMSG.
[[nodiscard]] Result<HandOverMessage> decode_message(std::string_view bytes);

/// One end of a pair of connected sockets that keeps the bounds of messages (SOCK_SEQPACKET). It
/// never waits.
class HandOverChannel {
  public:
    explicit HandOverChannel(UniqueFd fd)
        : fd_(std::move(fd)) {}
    static Result<std::pair<HandOverChannel, HandOverChannel>> make_pair();

    /// `fds` stay the caller's; the other end gets duplicates. Error::code is EAGAIN while the
    /// other end has not read what it was sent.
    Result<void> send(std::string_view kind, std::span<const std::string> fields = {},
                      std::span<const int> fds = {}) const;
    /// Error::code is EAGAIN while nothing has come, ECONNRESET when the other end is gone.
    Result<HandOverMessage> receive() const;

    /// Another descriptor of the same end, which lives as long as one of them.
    Result<HandOverChannel> duplicate() const;

    int fd() const { return fd_.get(); }

  private:
    UniqueFd fd_;
};

} // namespace livesock
