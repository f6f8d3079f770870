// The floor of any proxy in user space: copies bytes between each client and a connection of its
// own to the agent. No framing, no deadlines, no limits, no backpressure, no half-close.
#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static sockaddr_un address_of(std::string_view path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

int main(int argc, char** argv) {
    if (argc != 3)
        return fprintf(stderr, "usage: livesock-bench-relay LISTEN-AT AGENT\n"), 2;
    const sockaddr_un here = address_of(argv[1]), agent = address_of(argv[2]);
    const auto* const here_addr = reinterpret_cast<const sockaddr*>(&here);
    const auto* const agent_addr = reinterpret_cast<const sockaddr*>(&agent);
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, here_addr, sizeof here) != 0 || listen(listener, SOMAXCONN) != 0)
        return perror(argv[1]), 1;
    const int loop = epoll_create1(EPOLL_CLOEXEC);
    std::vector<int> other(1U << 20, -1); // by descriptor: the one at the other end
    auto add = [&](int fd, int peer) {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        other[static_cast<std::size_t>(fd)] = peer;
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
    };
    add(listener, -1);
    for (std::array<epoll_event, 256> events;;) {
        const int count = epoll_wait(loop, events.data(), events.size(), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == listener) {
                const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
                const int upstream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (connect(upstream, agent_addr, sizeof agent) != 0)
                    close(client), close(upstream);
                else
                    add(client, upstream), add(upstream, client);
            } else if (int& peer = other[static_cast<std::size_t>(fd)]; peer >= 0) {
                std::array<char, 16384> bytes;
                const ssize_t size = recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
                if (size < 0 && errno == EAGAIN)
                    continue; // news of a descriptor that was closed in this round and reused
                if (size <= 0 ||
                    write(peer, bytes.data(), static_cast<std::size_t>(size)) != size) {
                    close(fd), close(peer);
                    other[static_cast<std::size_t>(peer)] = -1;
                    peer = -1;
                }
            }
        }
    }
}
