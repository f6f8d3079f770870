#include "tools/answers.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

namespace livesock {
namespace {

using json = nlohmann::ordered_json;

json parse(const ControlAnswer& answer) {
    return json::parse(answer.text, nullptr, /* allow_exceptions */ false);
}

const json& member(const json& object, const char* name) {
    static const json none;
    if (!object.is_object())
        return none;
    const auto found = object.find(name);
    return found == object.end() ? none : *found;
}

std::optional<std::string> text(const json& object, const char* name) {
    const json& value = member(object, name);
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

std::optional<double> number(const json& object, const char* name) {
    const json& value = member(object, name);
    return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// A number with a fraction loses it. What int64_t cannot hold is no number of ours.
std::optional<std::int64_t> whole(const json& object, const char* name) {
    constexpr double beyond = 9.2e18;
    const std::optional<double> value = number(object, name);
    if (!value || !(std::abs(*value) < beyond))
        return std::nullopt;
    return member(object, name).get<std::int64_t>();
}

bool truth(const json& object, const char* name) {
    const json& value = member(object, name);
    return value.is_boolean() && value.get<bool>();
}

AgentReport read_agent(const json& object) {
    AgentReport agent;
    agent.path = text(object, "path").value_or("");
    agent.state = text(object, "state").value_or("");
    agent.selected = truth(object, "selected");
    agent.label = text(object, "label").value_or(agent.path);
    agent.forwarded = text(object, "origin") == "forwarded" || text(object, "client_address");
    agent.since = whole(object, "since").value_or(0);
    agent.round_trip_ms = number(object, "round_trip_ms");
    agent.keys = whole(object, "keys");
    agent.reason = text(object, "reason");
    return agent;
}

/// The elements of the member `name`; none if it is no array.
const json& elements(const json& object, const char* name) {
    static const json none = json::array();
    const json& value = member(object, name);
    return value.is_array() ? value : none;
}

StandInReport read_stand_in(const json& object) {
    StandInReport stand_in;
    stand_in.path = text(object, "path").value_or("");
    stand_in.reason = text(object, "reason").value_or("");
    for (const json& user : elements(object, "users"))
        stand_in.users.push_back(
            {whole(user, "pid").value_or(0), text(user, "program").value_or("")});
    stand_in.processes = whole(object, "processes").value_or(0);
    return stand_in;
}

} // namespace

StatusReport read_status(const ControlAnswer& answer) {
    const json object = parse(answer);
    const json& requests = member(object, "requests");
    const json& log = member(object, "log");
    StatusReport report;
    report.pid = whole(object, "pid").value_or(0);
    report.uptime_seconds = whole(object, "uptime_seconds").value_or(0);
    report.agent_socket = text(object, "agent_socket").value_or("");
    report.live = text(object, "live");
    report.pinned = text(object, "pinned");
    report.clients = whole(object, "clients").value_or(0);
    report.answered = whole(requests, "answered").value_or(0);
    report.failed = whole(requests, "failed").value_or(0);
    report.logs_to_file = text(log, "to") == "file";
    report.log_path = text(log, "path");
    for (const json& agent : elements(object, "agents"))
        report.agents.push_back(read_agent(agent));
    for (const json& stand_in : elements(object, "stand_ins"))
        report.stand_ins.push_back(read_stand_in(stand_in));
    return report;
}

std::vector<HealReport> read_healing(const ControlAnswer& answer) {
    const json object = parse(answer);
    std::vector<HealReport> healing;
    for (const json& path : elements(object, "paths"))
        healing.push_back({text(path, "path").value_or(""), text(path, "result").value_or(""),
                           text(path, "detail").value_or("")});
    return healing;
}

std::vector<IdentityReport> read_identities(const ControlAnswer& answer) {
    const json object = parse(answer);
    std::vector<IdentityReport> identities;
    for (const json& identity : elements(object, "identities"))
        identities.push_back(
            {text(identity, "fingerprint").value_or(""), text(identity, "type").value_or(""),
             text(identity, "comment").value_or(""), text(identity, "label").value_or("")});
    return identities;
}

std::optional<std::string> text_member(const ControlAnswer& answer, const char* name) {
    return text(parse(answer), name);
}

std::optional<std::int64_t> number_member(const ControlAnswer& answer, const char* name) {
    return whole(parse(answer), name);
}

std::string pretty(const ControlAnswer& answer) {
    const json object = parse(answer);
    return object.dump(2, ' ', /* ensure_ascii */ true, json::error_handler_t::replace) + '\n';
}

} // namespace livesock
