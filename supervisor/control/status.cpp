#include "supervisor/control/status.hpp"

#include "supervisor/agent/public_key.hpp"
#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace livesock {
namespace {

using nlohmann::json;

/// So many clients of an agent are described; the rest is only counted.
constexpr std::size_t most_named_users = 8;

json text_or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

double seconds(Duration duration) {
    return std::round(std::chrono::duration<double>(duration).count() * 1000) / 1000;
}

double milliseconds(Duration duration) {
    return std::round(std::chrono::duration<double, std::micro>(duration).count()) / 1000;
}

json round_trip_ms(const Liveness& liveness) {
    return liveness.round_trip() ? json(milliseconds(*liveness.round_trip())) : json(nullptr);
}

/// For how long the question that is open has had no answer.
json unanswered_seconds(const Liveness& liveness) {
    return liveness.asked_at() ? json(seconds(Clock::now() - *liveness.asked_at())) : json(nullptr);
}

/// Why an agent that is not used as a matter of course is in the state that it is in.
json reason(const Candidate& agent) {
    switch (agent.state()) {
    case AgentState::fresh:
        if (!agent.trouble().empty())
            return agent.trouble(); // it is tried again
        return agent.is_resting() ? "it is started when no other agent is live"
                                  : "it has not answered yet";
    case AgentState::live:
        return nullptr;
    case AgentState::late:
    case AgentState::hung:
        if (agent.origin() == Origin::upstream)
            return "it does not answer: is the other machine asleep, or the network to it gone?";
        return "it does not answer: is its client asleep, or its network gone?";
    case AgentState::dead:
        return text_or_null(agent.reason());
    }
    return nullptr;
}

json describe(const ClientFacts& client) {
    return {{"pid", client.pid != 0 ? json(client.pid) : json(nullptr)},
            {"program", text_or_null(client.program)},
            {"command", text_or_null(client.command)},
            {"directory", text_or_null(client.directory)},
            {"pane", text_or_null(client.pane)}};
}

json describe(const ClientUse& use) {
    json client = describe(facts_of_client(use.pid));
    client["request"] = use.request ? json(name_of(*use.request)) : json(nullptr);
    client["seconds"] =
        use.since == TimePoint{} ? json(nullptr) : json(seconds(Clock::now() - use.since));
    return client;
}

/// The clients that were led to the agent, a process once.
struct Users {
    json named = json::array();
    std::size_t count = 0;
};

Users users_of(std::uint64_t agent, const std::vector<ClientUse>& uses) {
    Users users;
    std::set<pid_t> seen;
    for (const ClientUse& use : uses) {
        if (use.agent != agent || (use.pid != 0 && !seen.insert(use.pid).second))
            continue;
        if (++users.count <= most_named_users)
            users.named.push_back(describe(use));
    }
    return users;
}

json describe(const Candidate& agent, const AgentPool& agents, const std::vector<ClientUse>& uses) {
    Users users = users_of(agent.id(), uses);
    json round_trips = json::array();
    for (const Duration round_trip : agent.liveness().round_trips())
        round_trips.push_back(milliseconds(round_trip));
    json fingerprints = json::array();
    for (const Identity& identity : agent.identities())
        fingerprints.push_back(fingerprint(identity.blob));
    const Liveness& liveness = agent.liveness();
    const std::optional<Login>& login = agent.login();
    const bool has_answered = liveness.last_answer().has_value();
    return {
        {"path", agent.path()},
        {"state", name_of(agent.state())},
        {"selected", &agent == agents.selected()},
        {"pinned", agents.is_pinned(agent)},
        {"origin", name_of(agent.origin())},
        {"label", agent.label()},
        {"client_address", login ? json(login->client_address) : json(nullptr)},
        {"client_name", text_or_null(agent.client_name())},
        {"client_port", login ? json(login->client_port) : json(nullptr)},
        {"tty", login ? text_or_null(login->tty) : json(nullptr)},
        {"pid", agent.pid() != 0 ? json(agent.pid()) : json(nullptr)},
        {"since",
         std::chrono::duration_cast<std::chrono::seconds>(agent.born().time_since_epoch()).count()},
        {"round_trip_ms", round_trip_ms(liveness)},
        {"round_trips_ms", std::move(round_trips)},
        {"unanswered_seconds", unanswered_seconds(liveness)},
        {"keys", has_answered ? json(agent.identities().size()) : json(nullptr)},
        {"fingerprints", fingerprints},
        {"last_answer_seconds",
         has_answered ? json(seconds(Clock::now() - *liveness.last_answer())) : json(nullptr)},
        {"reason", reason(agent)},
        {"users", std::move(users.named)},
        {"user_count", users.count},
    };
}

json describe(const StandInView& stand_in) {
    json pids = json::array();
    json users = json::array();
    for (const SocketUser& user : stand_in.users.named) {
        pids.push_back(user.pid);
        users.push_back({{"pid", user.pid}, {"program", user.program}});
    }
    return {{"path", stand_in.path},
            {"reason", name_of(stand_in.reason)},
            {"pids", std::move(pids)},
            {"users", std::move(users)},
            {"processes", stand_in.users.count}};
}

json describe(const SigningFacts& listener) {
    return {{"name", listener.name},
            {"listen", listener.listen},
            {"problem", text_or_null(listener.problem)},
            {"namespaces", listener.namespaces},
            {"keys", listener.keys},
            {"hosts", listener.hosts},
            {"token_file", text_or_null(listener.token_file)},
            {"requires_token", listener.requires_token},
            {"public_key", text_or_null(listener.public_key)},
            {"requests", {{"answered", listener.answered}, {"refused", listener.refused}}},
            {"signatures", listener.signatures}};
}

/// The selected first, then the live, then the others; within each the fallbacks last, in their
/// order, and of the others the newest first.
std::vector<const Candidate*> in_order(const AgentPool& agents) {
    std::vector<const Candidate*> ordered;
    for (const auto& candidate : agents.candidates())
        ordered.push_back(candidate.get());
    const auto rank = [&](const Candidate* agent) {
        return std::make_tuple(agent == agents.selected(), agent->state() == AgentState::live,
                               -static_cast<std::ptrdiff_t>(agent->tier()), agent->born());
    };
    std::sort(ordered.begin(), ordered.end(),
              [&](const Candidate* a, const Candidate* b) { return rank(a) > rank(b); });
    return ordered;
}

} // namespace

json describe_supervisor() {
    return {{"ok", true},
            {"protocol", control_protocol_version},
            {"version", LIVESOCK_VERSION},
            {"pid", ::getpid()}};
}

json describe_status(const SupervisorFacts& facts, const AgentPool& agents,
                     const StandIns& stand_ins, const std::vector<ClientUse>& uses) {
    json status = describe_supervisor();
    status["uptime_seconds"] = seconds(Clock::now() - facts.started);
    status["directory"] = facts.directory;
    status["agent_socket"] = facts.agent_socket;
    status["config"] = text_or_null(facts.config);
    status["config_changed"] = facts.is_config_changed;
    status["log"] = {{"to", facts.log_file.empty() ? "stderr" : "file"},
                     {"path", text_or_null(facts.log_file)}};
    const Candidate* const selected = agents.selected();
    const bool is_live = selected != nullptr && selected->state() == AgentState::live;
    status["live"] = is_live ? json(selected->path()) : json(nullptr);
    status["pinned"] = text_or_null(agents.pinned().word);
    status["policy"] = facts.follows_typing ? "active-client" : "newest";
    status["clients"] = facts.clients;
    status["requests"] = {{"answered", facts.answered}, {"failed", facts.failed}};
    json list = json::array();
    for (const Candidate* const agent : in_order(agents))
        list.push_back(describe(*agent, agents, uses));
    status["agents"] = std::move(list);
    status["listeners"] = json::array();
    for (const ListenerFacts& listener : facts.listeners)
        status["listeners"].push_back({{"name", listener.name},
                                       {"kind", listener.kind},
                                       {"reason", text_or_null(listener.reason)}});
    status["stand_ins"] = json::array();
    for (const StandInView& stand_in : stand_ins.list())
        status["stand_ins"].push_back(describe(stand_in));
    status["signing"] = json::array();
    for (const SigningFacts& listener : facts.signing)
        status["signing"].push_back(describe(listener));
    return status;
}

json describe_failures(const FailureLog& failures) {
    json list = json::array();
    for (auto failed = failures.requests().rbegin(); failed != failures.requests().rend();
         ++failed) {
        json attempts = json::array();
        for (const Attempt& attempt : failed->attempts)
            attempts.push_back({{"path", attempt.path},
                                {"label", attempt.label},
                                {"state", name_of(attempt.state)},
                                {"outcome", attempt.outcome},
                                {"seconds", seconds(attempt.took)}});
        json request = describe(failed->client);
        request.update({{"time", std::chrono::duration_cast<std::chrono::seconds>(
                                     failed->at.time_since_epoch())
                                     .count()},
                        {"request", name_of(failed->kind)},
                        {"waited_seconds", seconds(failed->waited)},
                        {"cause", failed->cause},
                        {"attempts", std::move(attempts)}});
        list.push_back(std::move(request));
    }
    return {{"ok", true}, {"failures", std::move(list)}};
}

json describe_requests(const RequestLog& requests) {
    json list = json::array();
    for (const DoneRequest& done : requests.requests()) {
        json request = describe(done.client);
        request.update(
            {{"number", done.number},
             {"time",
              std::chrono::duration_cast<std::chrono::seconds>(done.at.time_since_epoch()).count()},
             {"request", name_of(done.kind)},
             {"agent", text_or_null(done.path)},
             {"label", text_or_null(done.label)},
             {"end", name_of(done.end)},
             {"seconds", milliseconds(done.took) / 1000}});
        list.push_back(std::move(request));
    }
    return list;
}

json describe_healing(const std::vector<HealOutcome>& outcomes) {
    json paths = json::array();
    for (const HealOutcome& outcome : outcomes)
        paths.push_back({{"path", outcome.path},
                         {"result", name_of(outcome.result)},
                         {"detail", outcome.detail}});
    return {{"ok", true}, {"paths", std::move(paths)}};
}

json describe_identities(const AgentPool& agents) {
    const Candidate* const agent = agents.selected();
    json identities = json::array();
    if (agent != nullptr)
        for (const Identity& identity : agent->identities())
            identities.push_back({{"fingerprint", fingerprint(identity.blob)},
                                  {"type", key_type(identity.blob)},
                                  {"comment", identity.comment},
                                  {"agent", agent->path()},
                                  {"label", agent->label()}});
    return {{"ok", true},
            {"agent", agent != nullptr ? json(agent->path()) : json(nullptr)},
            {"unanswered_seconds",
             agent != nullptr ? unanswered_seconds(agent->liveness()) : json(nullptr)},
            {"identities", std::move(identities)}};
}

} // namespace livesock
