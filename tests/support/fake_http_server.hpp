// An HTTP server that a test plays, on the test's own EventLoop; it records what it is asked.
#pragma once

#include "supervisor/http/http_url.hpp"
#include "supervisor/loop/event_loop.hpp"
#include "tests/support/any_port.hpp"

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace livesock {

class FakeHttpServer {
  public:
    struct Request {
        std::size_t connection; ///< they are numbered as they are accepted
        std::string head;       ///< with its empty line
        std::string body;
    };

    explicit FakeHttpServer(EventLoop& loop)
        : loop_(loop)
        , acceptable_(loop.on_readable(port_.listener.get(), [this] { accept(); })) {
        acceptable_.resume();
    }

    HttpUrl url(const std::string& path = "/") const {
        return std::move(*parse_http_url("http://" + port_.text() + path));
    }
    std::string name() const { return port_.text(); }

    // The script. It may be changed at any time.
    std::function<void(const Request&)> on_request; ///< a whole one has come
    bool is_deaf = false;                           ///< new connections are not read from

    // What has happened.
    std::vector<Request> requests;
    std::size_t accepted = 0; ///< connections
    std::size_t ended = 0;    ///< connections that the other end has closed

    /// Any bytes.
    void send(std::size_t connection, std::string_view bytes) {
        Connection& to = *connections_.at(connection);
        to.unwritten += bytes;
        to.writable.resume();
    }
    void answer(std::size_t connection, int status, std::string_view body,
                std::string_view type = "application/json") {
        send(connection, "HTTP/1.1 " + std::to_string(status) +
                             " X\r\nContent-Type: " + std::string(type) + "\r\nContent-Length: " +
                             std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
    }
    void hang_up(std::size_t connection) { close(*connections_.at(connection)); }
    /// Listens no more: who connects is refused.
    void stop_listening() {
        acceptable_ = {};
        port_.listener.reset();
    }

  private:
    struct Connection {
        UniqueFd fd;
        std::string received;
        std::string unwritten;
        Watch readable;
        Watch writable;
    };

    void accept() {
        UniqueFd fd(
            ::accept4(port_.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd)
            return;
        const std::size_t number = accepted++;
        connections_.push_back(std::make_unique<Connection>());
        Connection& made = *connections_.back();
        made.fd = std::move(fd);
        made.readable = loop_.on_readable(made.fd.get(), [this, number] { receive(number); });
        made.writable = loop_.on_writable(made.fd.get(), [this, number] { flush(number); });
        if (!is_deaf)
            made.readable.resume();
    }

    void receive(std::size_t number) {
        Connection& from = *connections_[number];
        char buffer[65536];
        const ssize_t count = ::recv(from.fd.get(), buffer, sizeof buffer, 0);
        if (count <= 0) {
            ++ended;
            close(from);
            return;
        }
        from.received.append(buffer, static_cast<std::size_t>(count));
        const std::size_t end = from.received.find("\r\n\r\n");
        if (end == std::string::npos)
            return;
        const std::string head = from.received.substr(0, end + 4);
        const std::size_t field = head.find("Content-Length: ");
        const std::size_t length =
            field == std::string::npos ? 0 : std::strtoul(head.c_str() + field + 16, nullptr, 10);
        if (from.received.size() < head.size() + length)
            return;
        requests.push_back({number, head, from.received.substr(head.size(), length)});
        from.received.erase(0, head.size() + length);
        if (on_request)
            on_request(Request(requests.back()));
    }

    void flush(std::size_t number) {
        Connection& to = *connections_[number];
        const ssize_t count =
            ::send(to.fd.get(), to.unwritten.data(), to.unwritten.size(), MSG_NOSIGNAL);
        if (count > 0)
            to.unwritten.erase(0, static_cast<std::size_t>(count));
        if (to.unwritten.empty() || count < 0)
            to.writable.pause();
    }

    // Connections are kept, closed, until the end: their numbers are the test's.
    void close(Connection& connection) {
        connection.readable.pause();
        connection.writable.pause();
        connection.fd.reset();
    }

    EventLoop& loop_;
    AnyPort port_;
    Watch acceptable_;
    std::vector<std::unique_ptr<Connection>> connections_;
};

} // namespace livesock
