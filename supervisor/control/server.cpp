#include "supervisor/control/server.hpp"

#include "supervisor/base/log.hpp"
#include "supervisor/base/peer.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// Where descriptors are short, accepting is tried again after this.
constexpr auto shortage_pause = 250ms;

std::string to_line(const json& answer) {
    return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

json error_answer(std::string_view code, const std::string& error) {
    return {{"ok", false}, {"code", code}, {"error", error}};
}

/// What one who waits for an agent has still to ask.
std::string wait_line(std::optional<TimePoint> until) {
    json request{{"command", "wait"}};
    if (until)
        request["timeout_ms"] =
            std::max(0.0, std::chrono::duration<double, std::milli>(*until - Clock::now()).count());
    return to_line(request);
}

} // namespace

ControlServer::ControlServer(ControlHost& host, UniqueFd listener)
    : host_(host)
    , listener_(std::move(listener))
    , acceptable_(host.loop().on_readable(listener_.get(), [this] { accept(); }))
    , accept_again_(host.loop().timer([this] { acceptable_.resume(); }))
    , sweep_(host.loop().on_demand([this] {
        for (const Id id : closed_)
            clients_.erase(id);
        closed_.clear();
    }))
    , watchers_(host.loop(), [this](Id id) { tell_watcher(id); }) {
    acceptable_.resume();
    host_.agents().on_change([this] { on_agents_changed(); });
    host_.requests().on_change([this] { watchers_.note_change(); });
}

void ControlServer::stop_accepting() {
    acceptable_.pause();
    accept_again_.pause();
    listener_.reset();
}

void ControlServer::listen_on(UniqueFd listener) {
    for (;;) {
        UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd)
            break;
        admit(std::move(fd));
    }
    acceptable_ = host_.loop().on_readable(listener.get(), [this] { accept(); });
    listener_ = std::move(listener);
    acceptable_.resume();
}

void ControlServer::give_clients(const Taker& take) {
    watchers_.answer_all(); // they ask the successor next
    for (auto& [id, client] : clients_) {
        ControlConnection& connection = *client.connection;
        // Who waits for an agent goes on to wait, unless it has asked more already.
        const bool may_go = client.waits ? !connection.has_more() : connection.is_quiet();
        if (!connection.is_open() || !may_go ||
            !take(connection.fd(), client.waits ? wait_line(client.waits_until) : std::string()))
            continue;
        client.patience.pause();
        connection.close();
    }
}

void ControlServer::take_client(UniqueFd fd, const std::string& line) {
    const Id id = next_id_;
    admit(std::move(fd));
    if (const auto client = clients_.find(id); client != clients_.end() && !line.empty())
        client->second.connection->receive(line);
}

void ControlServer::accept() {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
        admit(std::move(fd));
    }
    // Without descriptors an accept that fails would be tried again at once, for ever.
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        acceptable_.pause();
        accept_again_.start(shortage_pause);
    }
}

void ControlServer::admit(UniqueFd fd) {
    const Result<Peer> peer = peer_of(fd.get());
    if (!peer)
        return;
    if (!is_trusted_uid(peer->uid)) {
        log::warning("a process of uid {} (pid {}) connected to the control socket: refused; see "
                     "that its directory has mode 0700",
                     peer->uid, peer->pid);
        return;
    }
    const bool has_room = make_room();
    const Id id = next_id_++;
    clients_[id].connection = std::make_unique<ControlConnection>(
        host_.loop(), std::move(fd),
        ControlConnection::Callbacks{
            .line = [this, id](std::string_view line) { on_line(id, line); },
            .oversized =
                [this, id] {
                    answer_error(id, "malformed", "the request is longer than 64 KiB");
                    clients_[id].connection->close_when_written();
                },
            .closed = [this, id] { on_closed(id); }});
    if (has_room)
        return;
    answer_error(id, "busy", "too many clients of the control socket wait for an answer");
    clients_[id].connection->close_when_written();
}

/// Who forgets to close is no reason to refuse the next one; who waits for our answer is.
bool ControlServer::make_room() {
    if (clients_.size() - closed_.size() < most_control_connections)
        return true;
    for (auto& [id, client] : clients_) {
        if (client.connection->owes_answer() || !client.connection->is_open())
            continue;
        client.connection->close();
        return true;
    }
    return false;
}

void ControlServer::on_closed(Id id) {
    watchers_.forget(id);
    clients_[id].waits = false;
    closed_.push_back(id);
    sweep_.trigger();
}

void ControlServer::on_line(Id id, std::string_view line) {
    const json request = json::parse(line, nullptr, false);
    if (request.is_object()) {
        run(id, request);
        return;
    }
    answer_error(id, "malformed", "the request is not a JSON object");
    clients_[id].connection->close_when_written();
}

void ControlServer::answer(Id id, const json& answer) {
    const auto client = clients_.find(id);
    if (client != clients_.end())
        client->second.connection->answer(to_line(answer));
}

void ControlServer::answer_error(Id id, std::string_view code, const std::string& error) {
    answer(id, error_answer(code, error));
}

} // namespace livesock
