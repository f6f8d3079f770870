#include "tools/answers.hpp"

#include "tools/json_members.hpp"

#include <nlohmann/json.hpp>

namespace livesock {
namespace {

Json parse(const ControlAnswer& answer) {
    return parse_json(answer.text);
}

ClientReport read_client(const Json& object) {
    return {.pid = whole_in(object, "pid").value_or(0),
            .program = text_in(object, "program").value_or(""),
            .command = text_in(object, "command").value_or(""),
            .directory = text_in(object, "directory").value_or(""),
            .pane = text_in(object, "pane").value_or("")};
}

AgentReport read_agent(const Json& object) {
    AgentReport agent;
    agent.path = text_in(object, "path").value_or("");
    agent.state = text_in(object, "state").value_or("");
    agent.selected = truth_in(object, "selected");
    if (const Json& pinned = member(object, "pinned"); pinned.is_boolean())
        agent.pinned = pinned.get<bool>();
    agent.label = text_in(object, "label").value_or(agent.path);
    agent.upstream = text_in(object, "origin") == "upstream";
    agent.forwarded = text_in(object, "origin") == "forwarded" || text_in(object, "client_address");
    agent.since = whole_in(object, "since").value_or(0);
    agent.round_trip_ms = number_in(object, "round_trip_ms");
    agent.unanswered_seconds = number_in(object, "unanswered_seconds");
    agent.keys = whole_in(object, "keys");
    agent.reason = text_in(object, "reason");
    for (const Json& round_trip : elements_in(object, "round_trips_ms"))
        agent.round_trips.push_back(round_trip.is_number() ? round_trip.get<double>() : 0);
    for (const Json& user : elements_in(object, "users"))
        agent.users.push_back({.client = read_client(user),
                               .request = text_in(user, "request"),
                               .seconds = number_in(user, "seconds").value_or(0)});
    agent.user_count = whole_in(object, "user_count").value_or(0);
    return agent;
}

StandInReport read_stand_in(const Json& object) {
    StandInReport stand_in;
    stand_in.path = text_in(object, "path").value_or("");
    stand_in.reason = text_in(object, "reason").value_or("");
    for (const Json& user : elements_in(object, "users"))
        stand_in.users.push_back(
            {whole_in(user, "pid").value_or(0), text_in(user, "program").value_or("")});
    stand_in.processes = whole_in(object, "processes").value_or(0);
    return stand_in;
}

std::vector<std::string> texts(const Json& object, const char* name) {
    std::vector<std::string> found;
    for (const Json& element : elements_in(object, name))
        if (element.is_string())
            found.push_back(element.get<std::string>());
    return found;
}

SigningReport read_signing(const Json& object) {
    const Json& requests = member(object, "requests");
    SigningReport listener;
    listener.name = text_in(object, "name").value_or("");
    listener.listen = text_in(object, "listen").value_or("");
    listener.problem = text_in(object, "problem");
    listener.namespaces = texts(object, "namespaces");
    listener.hosts = texts(object, "hosts");
    listener.token_file = text_in(object, "token_file");
    listener.public_key = text_in(object, "public_key");
    listener.answered = whole_in(requests, "answered").value_or(0);
    listener.refused = whole_in(requests, "refused").value_or(0);
    listener.signatures = whole_in(object, "signatures").value_or(0);
    return listener;
}

} // namespace

StatusReport read_status(const ControlAnswer& answer) {
    const Json object = parse(answer);
    const Json& requests = member(object, "requests");
    const Json& log = member(object, "log");
    StatusReport report;
    report.pid = whole_in(object, "pid").value_or(0);
    report.uptime_seconds = whole_in(object, "uptime_seconds").value_or(0);
    report.config = text_in(object, "config");
    report.is_config_changed = truth_in(object, "config_changed");
    report.agent_socket = text_in(object, "agent_socket").value_or("");
    report.live = text_in(object, "live");
    report.pinned = text_in(object, "pinned");
    report.follows_typing = text_in(object, "policy") == "active-client";
    report.clients = whole_in(object, "clients").value_or(0);
    report.answered = whole_in(requests, "answered").value_or(0);
    report.failed = whole_in(requests, "failed").value_or(0);
    report.logs_to_file = text_in(log, "to") == "file";
    report.log_path = text_in(log, "path");
    for (const Json& agent : elements_in(object, "agents"))
        report.agents.push_back(read_agent(agent));
    for (const Json& stand_in : elements_in(object, "stand_ins"))
        report.stand_ins.push_back(read_stand_in(stand_in));
    for (const Json& listener : elements_in(object, "signing"))
        report.signing.push_back(read_signing(listener));
    for (const Json& listener : elements_in(object, "listeners"))
        report.listeners.push_back({text_in(listener, "name").value_or(""),
                                    text_in(listener, "kind").value_or(""),
                                    text_in(listener, "reason")});
    return report;
}

std::vector<TokenReport> read_tokens(const ControlAnswer& answer) {
    const Json object = parse(answer);
    std::vector<TokenReport> tokens;
    for (const Json& token : elements_in(object, "tokens"))
        tokens.push_back(
            {text_in(token, "name").value_or(""), text_in(token, "date").value_or("")});
    return tokens;
}

std::vector<HealReport> read_healing(const ControlAnswer& answer) {
    const Json object = parse(answer);
    std::vector<HealReport> healing;
    for (const Json& path : elements_in(object, "paths"))
        healing.push_back({text_in(path, "path").value_or(""), text_in(path, "result").value_or(""),
                           text_in(path, "detail").value_or("")});
    return healing;
}

std::vector<IdentityReport> read_identities(const ControlAnswer& answer) {
    const Json object = parse(answer);
    std::vector<IdentityReport> identities;
    for (const Json& identity : elements_in(object, "identities"))
        identities.push_back(
            {text_in(identity, "fingerprint").value_or(""), text_in(identity, "type").value_or(""),
             text_in(identity, "comment").value_or(""), text_in(identity, "label").value_or("")});
    return identities;
}

WatchReport read_watch(const ControlAnswer& answer) {
    const Json object = parse(answer);
    WatchReport report{.status = read_status(answer),
                       .changes = whole_in(object, "changes").value_or(0)};
    for (const Json& done : elements_in(object, "done"))
        report.done.push_back({.number = whole_in(done, "number").value_or(0),
                               .time = whole_in(done, "time").value_or(0),
                               .request = text_in(done, "request").value_or(""),
                               .client = read_client(done),
                               .agent = text_in(done, "agent").value_or(""),
                               .label = text_in(done, "label").value_or(""),
                               .end = text_in(done, "end").value_or(""),
                               .seconds = number_in(done, "seconds").value_or(0)});
    return report;
}

ChoiceReport read_choice(const ControlAnswer& answer) {
    const Json object = parse(answer);
    ChoiceReport choice{.label = text_in(object, "label"), .by = text_in(object, "by")};
    if (!choice.label)
        choice.label = text_in(object, "chosen");
    for (const Json& label : elements_in(object, "among"))
        if (label.is_string())
            choice.among.push_back(label.get<std::string>());
    return choice;
}

std::vector<FailureReport> read_failures(const ControlAnswer& answer) {
    const Json object = parse(answer);
    std::vector<FailureReport> failures;
    for (const Json& failed : elements_in(object, "failures")) {
        FailureReport& report = failures.emplace_back();
        report.time = whole_in(failed, "time").value_or(0);
        report.request = text_in(failed, "request").value_or("");
        report.client = read_client(failed);
        report.waited_seconds = number_in(failed, "waited_seconds").value_or(0);
        report.cause = text_in(failed, "cause").value_or("");
        for (const Json& attempt : elements_in(failed, "attempts"))
            report.attempts.push_back({.path = text_in(attempt, "path").value_or(""),
                                       .label = text_in(attempt, "label").value_or(""),
                                       .state = text_in(attempt, "state").value_or(""),
                                       .outcome = text_in(attempt, "outcome").value_or("")});
    }
    return failures;
}

std::optional<std::string> text_member(const ControlAnswer& answer, const char* name) {
    return text_in(parse(answer), name);
}

std::optional<std::int64_t> number_member(const ControlAnswer& answer, const char* name) {
    return whole_in(parse(answer), name);
}

std::string pretty(const ControlAnswer& answer) {
    return pretty(parse(answer));
}

} // namespace livesock
