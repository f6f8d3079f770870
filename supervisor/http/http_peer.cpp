#include "supervisor/http/http_peer.hpp"

#include "supervisor/base/peer.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

namespace livesock {

HttpPeer::HttpPeer(int fd) {
    int domain = 0;
    socklen_t length = sizeof domain;
    is_unix_ = ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
    is_looked_up_ = is_unix_;
    if (!is_unix_) {
        const Result<TcpEnds> ends = ends_of(fd);
        if (!ends) {
            // It was reset before it was accepted.
            name_ = "somebody who has left";
            return;
        }
        ends_ = *ends;
        name_ = to_text(ends_.peer);
        own_name_ = to_text(ends_.own);
        return;
    }
    const Result<Peer> peer = peer_of(fd);
    if (peer)
        uid_ = peer->uid;
    name_ = peer ? fmt::format("uid {} (pid {})", peer->uid, peer->pid) : "somebody";
}

bool HttpPeer::is_loopback() const {
    return !is_unix_ && livesock::is_loopback(ends_.own) && livesock::is_loopback(ends_.peer);
}

std::optional<uid_t> HttpPeer::uid() {
    if (!is_looked_up_ && is_loopback())
        uid_ = uid_of_peer(ends_);
    is_looked_up_ = true;
    return uid_;
}

} // namespace livesock
