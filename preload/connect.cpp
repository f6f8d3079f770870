// connect() as the process finds it: the next connect(), and the redirection around it.
//
// There is no library to depend on: the same file is loaded by every C library, so all that is
// wanted of one is referred to weakly and may be missing. Nothing here is written after load.
#include "preload/redirect.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma weak dlsym
#pragma weak environ
#pragma weak getauxval
#pragma weak __errno_location
extern "C" [[gnu::weak]] int __connect(int fd, const sockaddr* addr, socklen_t len);
extern "C" [[gnu::visibility("hidden")]] int own_connect(int fd, const sockaddr* addr,
                                                         socklen_t len);

namespace {

using namespace livesock;

constinit ConnectFunction next_connect = nullptr;
constinit Redirection redirection;

/// Only where a C library has neither dlsym() nor __connect().
int raw_connect(int fd, const sockaddr* addr, socklen_t len) {
    long result = -ENOSYS;
#if defined(__x86_64__)
    asm volatile("syscall"
                 : "=a"(result)
                 : "0"(long{SYS_connect}), "D"(long{fd}), "S"(addr), "d"(long{len})
                 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 asm("x8") = SYS_connect;
    register long x0 asm("x0") = fd;
    register const sockaddr* x1 asm("x1") = addr;
    register long x2 asm("x2") = len;
    asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    result = x0;
#else
    static_cast<void>(fd), static_cast<void>(addr), static_cast<void>(len);
#endif
    if (result >= 0)
        return 0;
    if (__errno_location != nullptr)
        *__errno_location() = static_cast<int>(-result);
    return -1;
}

ConnectFunction find_next_connect() {
    if (dlsym != nullptr) {
        // RTLD_NEXT means "after the object that calls": never make this a tail call.
        void* found = dlsym(RTLD_NEXT, "connect");
        // A library that replaces dlsym() may look for what comes after *it*: that can be us.
        if (found != nullptr && found != reinterpret_cast<void*>(&own_connect))
            return reinterpret_cast<ConnectFunction>(found);
    }
    return __connect != nullptr ? __connect : raw_connect;
}

[[gnu::constructor]] void at_load() {
    next_connect = find_next_connect();
    if (&environ == nullptr || environ == nullptr || getauxval == nullptr ||
        __errno_location == nullptr)
        return;
    if (getauxval(AT_SECURE) == 0)
        redirection.arm(environ);
}

} // namespace

extern "C" [[gnu::visibility("default")]] int connect(int fd, const sockaddr* addr, socklen_t len) {
    // A library initialised before this one may connect: it finds the next one by itself.
    const ConnectFunction next = next_connect != nullptr ? next_connect : find_next_connect();
    if (!redirection.may_concern(len))
        return next(fd, addr, len);
    return redirection.connect(next, *__errno_location(), fd, addr, len);
}

extern "C" [[gnu::alias("connect")]] int own_connect(int fd, const sockaddr* addr, socklen_t len);
