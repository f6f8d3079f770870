// An agent that does what a test says, on the test's own EventLoop, and records what it is asked.
#pragma once

#include "supervisor/agent/identities.hpp"
#include "supervisor/agent/message.hpp"
#include "supervisor/agent/wire.hpp"
#include "supervisor/base/unique_fd.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace livesock {

/// A well-formed ed25519 public key blob, another one for each `fill`.
inline std::string make_blob(char fill) {
    return WireWriter().string("ssh-ed25519").string(std::string(32, fill)).bytes();
}

inline std::string sign_request_for(std::string_view blob, std::string_view data = "data") {
    return make_frame(MessageType::sign_request,
                      WireWriter().string(blob).string(data).uint32(0).bytes());
}

inline std::string session_bind_frame(std::string_view rest = "binding") {
    return make_frame(MessageType::extension,
                      WireWriter().string("session-bind@openssh.com").bytes() + std::string(rest));
}

inline std::string identities_answer(const std::vector<Identity>& keys) {
    WireWriter contents;
    contents.uint32(static_cast<std::uint32_t>(keys.size()));
    for (const Identity& key : keys)
        contents.string(key.blob).string(key.comment);
    return make_frame(MessageType::identities_answer, contents.bytes());
}

class FakeAgent {
  public:
    struct Request {
        std::size_t connection; ///< they are numbered as they are accepted; 0 is the sentinel's
        std::string frame;
    };
    /// The frame to answer with; nothing: no answer is given (later, perhaps, by the test).
    using Answer = std::function<std::optional<std::string>(const Request&)>;

    /// Listens at `path` as soon as it is made.
    FakeAgent(EventLoop& loop, std::string path, std::vector<Identity> initial_keys = {})
        : keys(std::move(initial_keys))
        , loop_(loop)
        , path_(std::move(path)) {
        listen();
    }
    FakeAgent(const FakeAgent&) = delete;
    FakeAgent& operator=(const FakeAgent&) = delete;
    ~FakeAgent() { ::unlink(path_.c_str()); }

    const std::string& path() const { return path_; }

    // The script. It may be changed at any time.
    std::vector<Identity> keys;
    bool is_silent = false;              ///< requests are taken, and not answered
    bool hangs_up_after_answer = false;  ///< each connection serves one request
    bool hangs_up_on_extensions = false; ///< instead of refusing them
    bool hangs_up_at_once = false;       ///< connections are closed as soon as they are accepted
    bool hangs_up_on_requests = false;   ///< each connection ends with its first request
    bool refuses_bindings = false;       ///< session-bind messages fail
    Answer answer; ///< beats all of the above but is_silent, where it says something

    // What has happened.
    std::vector<Request> requests;
    std::size_t accepted = 0; ///< connections
    std::size_t ended = 0;    ///< connections that the other end has closed, or shut down

    /// The requests that came over other connections than the sentinel's.
    std::vector<Request> client_requests() const {
        std::vector<Request> found;
        std::copy_if(requests.begin(), requests.end(), std::back_inserter(found),
                     [](const Request& request) { return request.connection != 0; });
        return found;
    }
    std::size_t count(std::string_view frame) const {
        return static_cast<std::size_t>(
            std::count_if(requests.begin(), requests.end(),
                          [&](const Request& request) { return request.frame == frame; }));
    }
    std::size_t open_connections() const {
        return static_cast<std::size_t>(
            std::count_if(connections_.begin(), connections_.end(), [](const auto& connection) {
                return static_cast<bool>(connection->fd);
            }));
    }

    /// Sends any bytes on a connection.
    void send(std::size_t connection, std::string_view bytes) {
        Connection& to = *connections_.at(connection);
        to.unwritten += bytes;
        flush(to);
    }
    /// Answers a request in the usual way, whatever the script says.
    void answer_now(const Request& request) { send(request.connection, usual_answer(request)); }
    void hang_up(std::size_t connection) { close(*connections_.at(connection)); }
    void hang_up_on_all() {
        for (const auto& connection : connections_)
            close(*connection);
    }
    /// Accepts nobody any more, though it listens.
    void stop_accepting() { acceptable_.pause(); }
    void accept_again() { acceptable_.resume(); }
    /// For a thread beside the loop, which does not run meanwhile: connections are refused from the
    /// next one on that is made.
    void end_when_dialled() const {
        pollfd dialled{.fd = listener_.get(), .events = POLLIN, .revents = 0};
        ::poll(&dialled, 1, 10'000);
        ::shutdown(listener_.get(), SHUT_RDWR);
    }
    /// Listens no more; the socket's name stays, as that of a process that was killed.
    void stop_listening() {
        acceptable_ = {};
        listener_.reset();
    }
    /// Serves a connection that somebody else has accepted.
    void serve(UniqueFd fd) {
        if (!fd)
            return;
        auto connection = std::make_unique<Connection>();
        connection->fd = std::move(fd);
        ++accepted;
        Connection& made = *connection;
        made.number = connections_.size();
        made.readable = loop_.on_readable(made.fd.get(), [this, &made] { receive(made); });
        made.writable = loop_.on_writable(made.fd.get(), [this, &made] { flush(made); });
        made.readable.resume();
        connections_.push_back(std::move(connection));
        if (hangs_up_at_once)
            close(made);
    }
    /// Ends as a process that was killed.
    void die() {
        stop_listening();
        hang_up_on_all();
    }
    /// Ends as sshd does at logout: the name goes too.
    void log_out() {
        ::unlink(path_.c_str());
        die();
    }
    void listen(int backlog = 64) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
        listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ::unlink(path_.c_str());
        if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
                0 ||
            ::listen(listener_.get(), backlog) != 0)
            throw std::system_error(errno, std::generic_category(), path_);
        acceptable_ = loop_.on_readable(listener_.get(), [this] { accept(); });
        acceptable_.resume();
    }

  private:
    struct Connection {
        std::size_t number = 0;
        UniqueFd fd;
        std::string received;
        std::string unwritten;
        Watch readable;
        Watch writable;
    };

    void accept() {
        serve(UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)));
    }

    void receive(Connection& connection) {
        char buffer[65536];
        const ssize_t count = ::recv(connection.fd.get(), buffer, sizeof buffer, 0);
        if (count <= 0) {
            ++ended;
            close(connection);
            return;
        }
        connection.received.append(buffer, static_cast<std::size_t>(count));
        while (connection.fd && connection.received.size() >= length_field) {
            const std::size_t length =
                length_field + WireReader(connection.received).uint32().value_or(0);
            if (connection.received.size() < length)
                break;
            const Request request{connection.number, connection.received.substr(0, length)};
            connection.received.erase(0, length);
            requests.push_back(request);
            take(connection, request);
        }
    }

    void take(Connection& connection, const Request& request) {
        if (is_silent)
            return;
        if (answer) {
            if (const std::optional<std::string> frame = answer(request))
                send(request.connection, *frame);
            return;
        }
        const bool is_extension = Message(request.frame).type() == MessageType::extension;
        if (hangs_up_on_requests || (is_extension && hangs_up_on_extensions)) {
            close(connection);
            return;
        }
        answer_now(request);
        if (hangs_up_after_answer)
            close(connection);
    }

    std::string usual_answer(const Request& request) const {
        switch (kind_of(Message(request.frame))) {
        case RequestKind::list:
            return identities_answer(keys);
        case RequestKind::sign:
            return make_frame(MessageType::sign_response,
                              WireWriter().string("signed at " + path_).bytes());
        case RequestKind::session_bind:
            return make_frame(refuses_bindings ? MessageType::failure : MessageType::success);
        case RequestKind::query:
            return failure_frame();
        case RequestKind::other:
            return make_frame(MessageType::success);
        }
        return {};
    }

    void flush(Connection& connection) {
        const ssize_t count = ::send(connection.fd.get(), connection.unwritten.data(),
                                     connection.unwritten.size(), MSG_NOSIGNAL);
        if (count > 0)
            connection.unwritten.erase(0, static_cast<std::size_t>(count));
        if (connection.unwritten.empty() || !connection.fd)
            connection.writable.pause();
        else
            connection.writable.resume();
    }

    // Connections are kept, closed, until the end: their numbers are the test's.
    void close(Connection& connection) {
        connection.readable.pause();
        connection.writable.pause();
        connection.fd.reset();
    }

    EventLoop& loop_;
    std::string path_;
    UniqueFd listener_;
    Watch acceptable_;
    std::vector<std::unique_ptr<Connection>> connections_;
};

} // namespace livesock
