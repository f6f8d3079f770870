#include "supervisor/base/peer.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

namespace livesock {

Result<Peer> peer_of(int fd) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return system_error("cannot tell who is at the other end of a socket", errno);
    return Peer{credentials.pid, credentials.uid};
}

bool is_trusted_uid(uid_t uid) {
    static const uid_t own = ::geteuid();
    return uid == own || uid == 0;
}

} // namespace livesock
