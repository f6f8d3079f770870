// The other end of a Unix stream socket, played by a test.
#pragma once

#include "supervisor/base/unique_fd.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>

namespace livesock {

/// Owns a non-blocking descriptor; every call does what can be done at once. Failures show in what
/// the test then does not see.
class FarEnd {
  public:
    FarEnd() = default;
    explicit FarEnd(UniqueFd fd)
        : fd_(std::move(fd)) {}
    /// Connects to the socket at `path`; closed if that is refused.
    explicit FarEnd(const std::string& path) {
        if (Result<UniqueFd> fd = dial(path))
            fd_ = std::move(*fd);
    }

    /// Sends from the front of `bytes` what the socket takes, and returns how many that were.
    std::size_t send(std::string_view bytes) {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const ssize_t count =
                ::send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (count <= 0)
                break;
            sent += static_cast<std::size_t>(count);
        }
        return sent;
    }

    /// All that has been received since the last take().
    const std::string& received() {
        char buffer[65536];
        ssize_t count = 0;
        while (fd_ && (count = ::recv(fd_.get(), buffer, sizeof buffer, 0)) > 0)
            received_.append(buffer, static_cast<std::size_t>(count));
        if (!fd_ || count == 0 || (count < 0 && errno == ECONNRESET))
            at_end_ = true;
        return received_;
    }
    std::string take() {
        received();
        return std::exchange(received_, {});
    }

    /// Whether the connection has ended, and all that came over it has been received.
    bool at_end() {
        received();
        return at_end_;
    }

    void shut_down_writing() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_.reset(); }
    bool is_open() const { return static_cast<bool>(fd_); }
    int fd() const { return fd_.get(); }

  private:
    UniqueFd fd_;
    std::string received_;
    bool at_end_ = false;
};

/// Two connected non-blocking stream sockets: ours, and the test's.
inline std::pair<UniqueFd, FarEnd> make_connection() {
    int ends[2] = {-1, -1};
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
    return {UniqueFd(ends[0]), FarEnd(UniqueFd(ends[1]))};
}

} // namespace livesock
