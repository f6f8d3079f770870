#include "preload/redirect.hpp"

#include "preload/report.h"

#include <initializer_list>

#include <errno.h>

namespace livesock {

namespace {

/// The caller's bytes as the kernel takes them, at whatever alignment they came.
struct [[gnu::packed, gnu::may_alias]] UnixAddress {
    sa_family_t family;
    char path[sizeof(sockaddr_un::sun_path)];
};

/// Whether `text` is `pattern`, in which '*' stands for one or more characters of one name.
bool matches(const char* text, const char* pattern) {
    for (; *pattern != '*'; ++text, ++pattern) {
        if (*text != *pattern)
            return false;
        if (*pattern == '\0')
            return true;
    }
    for (; *text != '\0' && *text != '/'; ++text) {
        if (matches(text + 1, pattern + 1))
            return true;
    }
    return false;
}

/// Whether the last names of the absolute `path` are `pattern`, which begins with a slash.
bool ends_like(const char* path, const char* pattern) {
    if (*path != '/')
        return false;
    for (; *path != '\0'; ++path) {
        if (*path == '/' && matches(path, pattern))
            return true;
    }
    return false;
}

bool has_shape_of_forwarded(const char* path) {
    // sshd before OpenSSH 10.1; since then (an agent's own: s.*.agent.*); VS Code's server.
    return matches(path, "/tmp/ssh-*/agent.*") || ends_like(path, "/.ssh/agent/s.*.sshd.*") ||
           ends_like(path, "/vscode-ssh-auth-*");
}

/// The value of `name`, as getenv() finds it, or null.
const char* value_of(const char* const* environment, const char* name) {
    for (; *environment != nullptr; ++environment) {
        const char* entry = *environment;
        const char* wanted = name;
        while (*wanted != '\0' && *entry == *wanted) {
            ++entry;
            ++wanted;
        }
        if (*wanted == '\0' && *entry == '=')
            return entry + 1;
    }
    return nullptr;
}

bool equal(const char* a, const char* b) {
    while (*a != '\0' && *a == *b) {
        ++a;
        ++b;
    }
    return *a == *b;
}

/// The kernel has read the address and found nobody listening.
bool nobody_there(int error) {
    return error == ENOENT || error == ECONNREFUSED || error == ENOTDIR;
}

/// Somebody is there, or the caller's own signal or time limit ended the wait: trying elsewhere
/// would outlast an alarm(2), or connect a socket that is already on its way.
bool is_answer(int error) {
    return error == EAGAIN || error == EINTR || error == EINPROGRESS || error == EALREADY ||
           error == EISCONN;
}

} // namespace

/// False if directory/name does not fit; its NUL must, as it must for every other client.
bool Redirection::Target::set(const char* directory, const char* name) {
    socklen_t length = 0;
    while (directory[length] != '\0') {
        if (length == path_limit)
            return false;
        addr.sun_path[length] = directory[length];
        ++length;
    }
    while (length > 0 && addr.sun_path[length - 1] == '/')
        --length;
    if (length == 0 || length == path_limit)
        return false;
    addr.sun_path[length++] = '/';
    do {
        if (length == path_limit)
            return false;
        addr.sun_path[length++] = *name;
    } while (*name++ != '\0');
    addr.sun_family = AF_UNIX;
    len = path_offset + length;
    return true;
}

void Redirection::arm(const char* const* environment) {
    const char* path = value_of(environment, "SSH_AUTH_SOCK");
    const char* directory = value_of(environment, directory_variable);
    if (path == nullptr || directory == nullptr || *directory != '/')
        return;
    if (!live_.set(directory, live_link_name) || !stable_.set(directory, agent_socket_name))
        return;
    if (!equal(path, stable_.addr.sun_path) && !has_shape_of_forwarded(path))
        return;

    socklen_t length = 0;
    for (; path[length] != '\0'; ++length) {
        if (length == path_limit)
            return;
        startup_path_[length] = path[length];
    }
    // Last: a library initialised before this one may have started a thread that connects.
    __atomic_store_n(&startup_length_, length, __ATOMIC_RELEASE);
}

/// May read `len` bytes of `addr`: only after the kernel did. Each byte is compared as it is read
/// and none is used afterwards, so another thread that rewrites them decides nothing but yes or no.
bool Redirection::names_startup_path(const sockaddr* addr, socklen_t len) const {
    const auto* given = reinterpret_cast<const UnixAddress*>(addr);
    if (len > sizeof(UnixAddress) || given->family != AF_UNIX)
        return false;
    for (socklen_t i = 0; i < startup_length_; ++i) {
        if (given->path[i] != startup_path_[i])
            return false;
    }
    // unix(7): a path ends at its NUL or, where there is none, at the end of the address.
    return len == path_offset + startup_length_ || given->path[startup_length_] == '\0';
}

int Redirection::connect(ConnectFunction next, int& error, int fd, const sockaddr* addr,
                         socklen_t len) const {
    const int error_before = error;
    const int result = next(fd, addr, len);
    if (result != -1 || !nobody_there(error) || !may_concern(len) || !names_startup_path(addr, len))
        return result;

    const int first_error = error;
    for (const Target* target : {&live_, &stable_}) {
        if (next(fd, reinterpret_cast<const sockaddr*>(&target->addr), target->len) == 0) {
            error = error_before;
            return 0;
        }
        if (is_answer(error))
            return -1;
    }
    error = first_error;
    return -1;
}

} // namespace livesock
