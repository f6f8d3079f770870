// Who has connected to an HTTP listener.
#pragma once

#include "supervisor/base/tcp_peer.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace livesock {

/// The client of one connection, as the kernel tells of it.
class HttpPeer {
  public:
    /// `fd`: a connected Unix or TCP socket.
    explicit HttpPeer(int fd);

    bool is_unix() const { return is_unix_; }
    /// Both ends of the TCP connection are loopback addresses.
    bool is_loopback() const;

    /// The user at the other end; nothing if it cannot be told. Of TCP only within loopback, looked
    /// up when first asked for.
    std::optional<uid_t> uid();

    /// For the log: "uid 1000 (pid 4)", "127.0.0.1:4711".
    const std::string& name() const { return name_; }
    /// The address and port that it has connected to; empty for Unix sockets.
    const std::string& own_name() const { return own_name_; }

  private:
    bool is_unix_ = false;
    TcpEnds ends_;
    std::string name_;
    std::string own_name_;
    bool is_looked_up_ = false;
    std::optional<uid_t> uid_;
};

} // namespace livesock
