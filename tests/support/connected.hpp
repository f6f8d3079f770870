// A TCP connection within this machine.
#pragma once

#include "supervisor/base/unique_fd.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace livesock {

/// Two ends of a TCP connection over loopback.
struct Connected {
    UniqueFd listener;
    UniqueFd client;
    UniqueFd server; ///< none if there is no such family

    explicit Connected(int family = AF_INET) {
        listener.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        address.ss_family = static_cast<sa_family_t>(family);
        if (family == AF_INET6)
            reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
        else
            reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener.get(), generic, length) != 0)
            return; // there may be no IPv6
        REQUIRE(::listen(listener.get(), 1) == 0);
        REQUIRE(::getsockname(listener.get(), generic, &length) == 0);
        client.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(client.get(), generic, length) == 0);
        server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        REQUIRE(server);
    }
};

} // namespace livesock
