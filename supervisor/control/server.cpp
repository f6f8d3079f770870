#include "supervisor/control/server.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/control/status.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// status and list wait so long for what the agents say now.
constexpr auto refresh_patience = 300ms;

/// Where descriptors are short, accepting is tried again after this.
constexpr auto shortage_pause = 250ms;

constexpr std::chrono::milliseconds longest_wait = longest_duration;

std::string to_line(const json& answer) {
    return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

json error_answer(std::string_view code, const std::string& error) {
    return {{"ok", false}, {"code", code}, {"error", error}};
}

/// The string member `name` of `request`, empty if there is none.
std::string text_of(const json& request, const char* name) {
    const auto member = request.find(name);
    return member != request.end() && member->is_string() ? member->get<std::string>()
                                                          : std::string();
}

json describe_live(const Candidate& agent) {
    return {{"ok", true}, {"live", agent.path()}, {"label", agent.label()}};
}

bool is_live(const Candidate* agent) {
    return agent != nullptr && agent->state() == AgentState::live;
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
    })) {
    acceptable_.resume();
    host_.agents().on_change([this] { on_agents_changed(); });
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

void ControlServer::run(Id id, const json& request) {
    const std::string command = text_of(request, "command");
    if (command == "ping")
        answer(id, describe_supervisor());
    else if (command == "status")
        report(id, [](ControlHost& host) {
            return describe_status(host.facts(), host.agents(), host.stand_ins());
        });
    else if (command == "list")
        report(id, [](ControlHost& host) { return describe_identities(host.agents()); });
    else if (command == "failures")
        answer(id, describe_failures(host_.failures()));
    else if (command == "register")
        register_agent(id, request);
    else if (command == "use")
        use(id, request);
    else if (command == "wait")
        wait(id, request);
    else if (command == "heal")
        heal(id, request);
    else if (command == "reload")
        reload(id);
    else if (command == "restart")
        restart(id);
    else if (command == "stop")
        stop(id);
    else
        answer_error(id, "unknown_command",
                     fmt::format("there is no command '{}'", escaped(command, 64)));
}

/// Tells what the agents say now, not what they said at the last interval.
void ControlServer::report(Id id, json (*describe)(ControlHost&)) {
    host_.agents().refresh(refresh_patience, [this, id, describe] { answer(id, describe(host_)); });
}

void ControlServer::register_agent(Id id, const json& request) {
    const std::string path = text_of(request, "path");
    if (!path.starts_with('/')) {
        answer_error(id, "refused", "register takes the absolute path of an agent socket");
        return;
    }
    const Result<Candidate*> added = host_.agents().add(path, Origin::registered);
    if (!added) {
        answer_error(id, "refused", added.error().message);
        return;
    }
    const Candidate& agent = **added;
    answer(id, {{"ok", true}, {"path", agent.path()}, {"state", name_of(agent.state())}});
}

void ControlServer::use(Id id, const json& request) {
    AgentPool& agents = host_.agents();
    const std::string wanted = text_of(request, "agent");
    if (wanted.empty()) {
        answer_error(id, "not_found", "use takes the name of an agent, or \"auto\"");
        return;
    }
    if (wanted == "auto") {
        agents.unpin();
    } else if (Result<void> pinned = agents.pin(wanted); !pinned) {
        answer_error(id, "not_found", pinned.error().message);
        return;
    }
    const Candidate* const chosen = agents.selected();
    answer(id, {{"ok", true},
                {"chosen", chosen != nullptr ? json(chosen->path()) : json(nullptr)},
                {"label", chosen != nullptr ? json(chosen->label()) : json(nullptr)},
                {"pinned", agents.pinned().empty() ? json(nullptr) : json(agents.pinned())}});
}

void ControlServer::wait(Id id, const json& request) {
    if (const Candidate* const agent = host_.agents().selected(); is_live(agent)) {
        answer(id, describe_live(*agent));
        return;
    }
    Client& client = clients_[id];
    client.waits = true;
    client.waits_until.reset();
    const auto timeout = request.find("timeout_ms");
    if (timeout == request.end() || !timeout->is_number())
        return;
    const double wanted = timeout->get<double>();
    const auto most = static_cast<double>(longest_wait.count());
    const auto patience = static_cast<long long>(wanted > 0 ? std::min(wanted, most) : 0.0);
    client.patience = host_.loop().timer([this, id] {
        clients_[id].waits = false;
        answer_error(id, "timeout", "no agent became live in time");
    });
    client.patience.start(std::chrono::milliseconds(patience));
    client.waits_until = Clock::now() + std::chrono::milliseconds(patience);
}

void ControlServer::on_agents_changed() {
    const Candidate* const agent = host_.agents().selected();
    if (!is_live(agent))
        return;
    for (auto& [id, client] : clients_) {
        if (!std::exchange(client.waits, false))
            continue;
        client.patience.pause();
        answer(id, describe_live(*agent));
    }
}

void ControlServer::heal(Id id, const json& request) {
    std::vector<std::string> paths;
    const json named = request.value("paths", json::array());
    const bool is_list =
        named.is_array() &&
        std::all_of(named.begin(), named.end(), [](auto& path) { return path.is_string(); });
    if (!is_list) {
        answer_error(id, "refused", "heal takes \"paths\", an array of absolute paths, or nothing");
        return;
    }
    for (const json& path : named)
        paths.push_back(path.get<std::string>());
    host_.stand_ins().heal(std::move(paths), [this, id](const std::vector<HealOutcome>& outcomes) {
        answer(id, describe_healing(outcomes));
    });
}

void ControlServer::reload(Id id) {
    if (Result<void> reloaded = host_.reload(); !reloaded)
        answer_error(id, "bad_config", reloaded.error().message);
    else
        answer(id, {{"ok", true}});
}

/// The connection ends with us, not with the successor: who asked may wait for our end.
void ControlServer::restart(Id id) {
    host_.restart([this, id](const Result<pid_t>& successor) {
        if (successor)
            answer(id, {{"ok", true}, {"pid", *successor}});
        else
            answer_error(id, "refused", successor.error().message);
        if (const auto client = clients_.find(id); successor && client != clients_.end())
            client->second.connection->close_when_written();
    });
}

void ControlServer::stop(Id id) {
    answer(id, {{"ok", true}, {"pid", ::getpid()}});
    host_.stop();
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
