// Who is at the other end of a Unix socket.
#pragma once

#include "supervisor/base/result.hpp"

#include <sys/types.h>

namespace livesock {

/// A process as the kernel knew it when it connected, or began to listen (SO_PEERCRED, unix(7)).
struct Peer {
    pid_t pid = 0;
    uid_t uid = 0;
};

[[nodiscard]] Result<Peer> peer_of(int fd);

/// The law of every socket of ours: this user and root are served and trusted, nobody else.
[[nodiscard]] bool is_trusted_uid(uid_t uid);

} // namespace livesock
