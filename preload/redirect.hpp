// What the shim does with a connect() that failed: the decision alone, without a C library, so that
// the very object that every process loads can be tested with a connect() of the test's own.
#pragma once

#include <cstddef>

#include <sys/socket.h>
#include <sys/un.h>

namespace livesock {

/// connect(2): 0, or -1 and an error number.
using ConnectFunction = int (*)(int fd, const sockaddr* addr, socklen_t len);

/// The path this process started with, and where to go when nobody is there.
///
/// Not armed at first: every connect() then passes as it is. Written once, by arm(), and only read
/// afterwards; needs no initialisation at run time and no destruction. Nothing in here allocates,
/// locks, or calls anything but the connect() it is given.
class Redirection {
  public:
    /// Copies SSH_AUTH_SOCK and LIVESOCK_DIR out of `environment` (null-terminated, as environ) and
    /// arms the redirection if LIVESOCK_DIR is an absolute path that leaves room for the names in
    /// it, and SSH_AUTH_SOCK is $LIVESOCK_DIR/agent.sock or has a forwarded agent socket's shape
    /// (liblivesock(7)). Otherwise it stays not armed. To be called once.
    void arm(const char* const* environment);

    /// Whether an address of this length could name the startup path. False while not armed.
    bool may_concern(socklen_t len) const {
        const socklen_t path_length = __atomic_load_n(&startup_length_, __ATOMIC_ACQUIRE);
        return path_length != 0 && len >= path_offset + path_length;
    }

    /// Connects `fd` by `next` with the caller's own arguments, and, if may_concern(len) and nobody
    /// listens there and it is the startup path, to $LIVESOCK_DIR/live and then to
    /// $LIVESOCK_DIR/agent.sock. `error` is where `next` leaves its error number: it is left as it
    /// was before the call if a redirection succeeded, else as the first try left it. An answer of
    /// a redirection that says "not now" (EAGAIN, EINTR, ...) is handed on as it is.
    int connect(ConnectFunction next, int& error, int fd, const sockaddr* addr,
                socklen_t len) const;

  private:
    struct Target {
        sockaddr_un addr;
        socklen_t len;

        bool set(const char* directory, const char* name);
    };

    static constexpr socklen_t path_offset = offsetof(sockaddr_un, sun_path);
    static constexpr socklen_t path_limit = sizeof(sockaddr_un::sun_path);

    bool names_startup_path(const sockaddr* addr, socklen_t len) const;

    socklen_t startup_length_ = 0;
    char startup_path_[path_limit] = {};
    Target live_ = {};
    Target stable_ = {};
};

} // namespace livesock
