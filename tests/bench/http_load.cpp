#include "tests/bench/http_load.hpp"

#include "tests/bench/failure.hpp"
#include "tests/bench/statistics.hpp"

#include <array>
#include <cerrno>
#include <charconv>

#include <sys/epoll.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

struct Connection {
    UniqueFd fd;
    std::string received;
    std::size_t wanted = 0; ///< 0: not known yet
};

std::size_t http_length(std::string_view answer) {
    constexpr std::string_view name = "Content-Length: ";
    const std::size_t end = answer.find("\r\n\r\n");
    const std::size_t field = answer.find(name);
    if (end == std::string_view::npos || field == std::string_view::npos)
        return 0;
    std::size_t length = 0;
    std::from_chars(answer.data() + field + name.size(), answer.data() + end, length);
    return end + 4 + length;
}

std::size_t agent_length(std::string_view answer) {
    if (answer.size() < 4)
        return 0;
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i)
        length = length << 8 | static_cast<unsigned char>(answer[i]);
    return 4 + length;
}

UniqueFd connected(const sockaddr_un& address) {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw Failure("cannot connect to the endpoint");
    return fd;
}

void send_request(const Connection& connection, const Exchange& exchange) {
    const auto size = static_cast<ssize_t>(exchange.request.size());
    if (send(connection.fd.get(), exchange.request.data(), exchange.request.size(), MSG_NOSIGNAL) !=
        size)
        throw Failure("a request cannot be sent");
}

/// Whether an answer is complete now; then the next request is out.
bool receive(Connection& connection, const Exchange& exchange, long& errors) {
    std::array<char, 16384> bytes;
    const ssize_t size = recv(connection.fd.get(), bytes.data(), bytes.size(), 0);
    if (size <= 0)
        throw Failure("a connection has ended");
    connection.received.append(bytes.data(), static_cast<std::size_t>(size));
    if (connection.wanted == 0)
        connection.wanted = exchange.length_of(connection.received);
    if (connection.wanted == 0 || connection.received.size() < connection.wanted)
        return false;
    const bool good = connection.received.find(exchange.answer_begins) != std::string::npos;
    errors += good ? 0 : 1;
    connection.received.clear();
    connection.wanted = 0;
    send_request(connection, exchange);
    return good;
}

} // namespace

Exchange sign_over_http(std::size_t size) {
    return {.request = "POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                       std::to_string(size) + "\r\n\r\n" + std::string(size, 'x'),
            .answer_begins = "HTTP/1.1 200 ",
            .length_of = http_length};
}

Exchange sign_at_agent(const Bytes& request) {
    return {.request = std::string(request.begin(), request.end()),
            .answer_begins = std::string(1, '\x0e'), // SSH_AGENT_SIGN_RESPONSE
            .length_of = agent_length};
}

LoadResult run_exchanges(const sockaddr_un& address, int clients, const Exchange& exchange,
                         std::chrono::milliseconds duration) {
    const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    std::vector<Connection> connections(static_cast<std::size_t>(clients));
    for (std::size_t i = 0; i < connections.size(); ++i) {
        connections[i].fd = connected(address);
        epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
        epoll_ctl(epoll.get(), EPOLL_CTL_ADD, connections[i].fd.get(), &event);
        send_request(connections[i], exchange);
    }
    long answers = 0;
    long errors = 0;
    const double start = now_ns();
    double now = start;
    while (now - start < std::chrono::duration<double, std::nano>(duration).count()) {
        check_interrupted();
        std::array<epoll_event, 64> events;
        const int count = epoll_wait(epoll.get(), events.data(), events.size(), 5);
        for (int i = 0; i < count; ++i)
            if (receive(connections[events[static_cast<std::size_t>(i)].data.u64], exchange,
                        errors))
                ++answers;
        now = now_ns();
    }
    return {.requests_per_second = static_cast<double>(answers) * 1e9 / (now - start),
            .errors = errors};
}

} // namespace livesock::bench
