// TCP ports of 127.0.0.1 that a test listens at, and connections to them.
#pragma once

#include "supervisor/base/unique_fd.hpp"

#include <cstdint>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace livesock {

inline sockaddr_in loopback_address(std::uint16_t port, const char* host = "127.0.0.1") {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, host, &address.sin_addr);
    return address;
}

/// A non-blocking socket that listens at a port which the kernel has chosen.
struct AnyPort {
    UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    std::uint16_t port = 0;

    AnyPort() {
        sockaddr_in address = loopback_address(0);
        socklen_t length = sizeof address;
        if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0 &&
            ::listen(listener.get(), 128) == 0 &&
            ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0)
            port = ntohs(address.sin_port);
    }
    std::string text() const { return "127.0.0.1:" + std::to_string(port); }
};

/// A connection to `port` from the address `host` of this machine, non-blocking; none if that is
/// refused.
inline UniqueFd connect_to_port(std::uint16_t port, const char* host = "127.0.0.1") {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in from = loopback_address(0, host);
    const sockaddr_in to = loopback_address(port);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        return {};
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    return fd;
}

} // namespace livesock
