// What each command of the control protocol does.
#include "supervisor/control/server.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/control/request.hpp"
#include "supervisor/control/status.hpp"
#include "supervisor/control/token_commands.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// status and list wait so long for what the agents say now.
constexpr auto refresh_patience = 300ms;

constexpr std::chrono::milliseconds longest_wait = longest_duration;

json describe_live(const Candidate& agent) {
    return {{"ok", true}, {"live", agent.path()}, {"label", agent.label()}};
}

bool is_live(const Candidate* agent) {
    return agent != nullptr && agent->state() == AgentState::live;
}

} // namespace

void ControlServer::run(Id id, const json& request) {
    const std::string command = text_of(request, "command");
    if (command == "ping")
        answer(id, describe_supervisor());
    else if (command == "status")
        report(id, [](ControlHost& host) {
            return describe_status(host.facts(), host.agents(), host.stand_ins(), host.uses());
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
    else if (command == "tokens")
        answer(id, run_tokens_command(host_, request));
    else if (command == "watch")
        watch(id, request);
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
    json by = nullptr;
    json among = json::array();
    if (wanted == "auto") {
        agents.unpin();
    } else if (const Result<AgentPool::Choice> pinned = agents.pin(wanted)) {
        by = name_of(pinned->kind);
        among = pinned->among;
    } else {
        answer_error(id, "not_found", pinned.error().message);
        return;
    }
    const Candidate* const chosen = agents.selected();
    answer(id, {{"ok", true},
                {"chosen", chosen != nullptr ? json(chosen->path()) : json(nullptr)},
                {"label", chosen != nullptr ? json(chosen->label()) : json(nullptr)},
                {"pinned", by.is_null() ? json(nullptr) : json(wanted)},
                {"by", std::move(by)},
                {"among", std::move(among)}});
}

void ControlServer::wait(Id id, const json& request) {
    if (const Candidate* const agent = host_.agents().selected(); is_live(agent)) {
        answer(id, describe_live(*agent));
        return;
    }
    Client& client = clients_[id];
    client.waits = true;
    client.waits_until.reset();
    const auto patience = duration_of(request, "timeout_ms", longest_wait);
    if (!patience)
        return;
    client.patience = host_.loop().timer([this, id] {
        clients_[id].waits = false;
        answer_error(id, "timeout", "no agent became live in time");
    });
    client.patience.start(*patience);
    client.waits_until = Clock::now() + *patience;
}

void ControlServer::watch(Id id, const json& request) {
    host_.requests().watch(Clock::now());
    const json seen = request.value("seen", json());
    watchers_.wait(
        id, seen.is_number_unsigned() ? std::optional(seen.get<std::uint64_t>()) : std::nullopt,
        duration_of(request, "timeout_ms", Watchers::longest_patience).value_or(0ms));
}

/// As things are known: nobody is asked, or each watcher would keep the line to every agent busy.
void ControlServer::tell_watcher(Id id) {
    json news = describe_status(host_.facts(), host_.agents(), host_.stand_ins(), host_.uses());
    news["changes"] = watchers_.changes();
    news["done"] = describe_requests(host_.requests());
    answer(id, news);
}

void ControlServer::on_agents_changed() {
    watchers_.note_change();
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

} // namespace livesock
