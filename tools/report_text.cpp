#include "tools/report_text.hpp"

#include "supervisor/base/clock.hpp"
#include "supervisor/base/escape.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace livesock {
namespace {

/// Longer labels, types and comments are cut, so that a line stays a line.
constexpr std::size_t longest_label = 32;
constexpr std::size_t longest_type = 24;
constexpr std::size_t longest_comment = 40;

/// The column of the agents' table below which the reasons stand.
constexpr std::size_t label_column = 2;

/// So many of those who use a stand-in are named.
constexpr std::int64_t most_users = 3;

constexpr std::int64_t century = std::int64_t{100} * 365 * 24 * 3600;

std::string shown(const std::string& text, std::size_t width) {
    return cut_middle(escaped(text), width);
}

std::string plural(std::int64_t count, const char* what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// Numbers from elsewhere are brought into the range that a Duration holds.
std::string seconds_text(std::int64_t seconds) {
    const std::int64_t sane = std::clamp<std::int64_t>(seconds, 0, century);
    return sane == 0 ? "now" : format_duration(std::chrono::seconds(sane));
}

std::string round_trip_text(const AgentReport& agent) {
    if (!agent.round_trip_ms || !std::isfinite(*agent.round_trip_ms))
        return "-";
    const double sane = std::clamp(*agent.round_trip_ms, 0.0, 3.6e6);
    return format_duration(
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(sane)));
}

Colour colour_of(const std::string& state) {
    if (state == "live")
        return Colour::green;
    if (state == "late")
        return Colour::yellow;
    return state == "hung" || state == "dead" ? Colour::red : Colour::none;
}

/// Whether there is more to say about whose it is than its path.
bool is_named(const AgentReport& agent) {
    return !agent.label.empty() && agent.label != agent.path;
}

/// The agent that requests go to, if there is one.
const AgentReport* used_agent(const StatusReport& report) {
    for (const AgentReport& agent : report.agents)
        if (agent.selected && agent.state == "live")
            return &agent;
    return nullptr;
}

std::string figures(const AgentReport& agent) {
    std::string keys = agent.keys ? plural(*agent.keys, "key") : "";
    if (!agent.round_trip_ms)
        return keys.empty() ? "" : " (" + keys + ")";
    return fmt::format(" ({}{}{})", keys, keys.empty() ? "" : ", ", round_trip_text(agent));
}

std::string working_text(const AgentReport& agent) {
    if (agent.keys == 0)
        return fmt::format("livesock is working, but {} has no keys: load one with ssh-add where "
                           "that agent runs.",
                           agent_called(agent));
    return fmt::format("livesock is working: ssh uses {}{}.", agent_called(agent), figures(agent));
}

const AgentReport* first_in(const StatusReport& report, std::initializer_list<const char*> states) {
    for (const AgentReport& agent : report.agents)
        if (std::any_of(states.begin(), states.end(),
                        [&](const char* state) { return agent.state == state; }))
            return &agent;
    return nullptr;
}

/// The best hope comes first: an agent that may answer any moment, then one that may wake up.
std::string not_working_text(const StatusReport& report) {
    if (const AgentReport* const fresh = first_in(report, {"new"}))
        return fmt::format("No agent is live yet: {} is being asked. Look again in a moment.",
                           agent_called(*fresh));
    if (const AgentReport* const silent = first_in(report, {"late", "hung"}))
        return fmt::format("No agent is live: {} does not answer. Wake the computer it runs on, or "
                           "log in again with 'ssh -A'.",
                           agent_called(*silent));
    if (!report.agents.empty())
        return "No agent is live: those that were have ended. Log in again with 'ssh -A'.";
    return "No agent is live: none has been found. Log in with 'ssh -A', or name an agent's socket "
           "with 'livesock register PATH'.";
}

std::string pin_text(const StatusReport& report, const AgentReport* used) {
    if (!report.pinned)
        return "";
    const std::string pin = escaped(*report.pinned);
    if (used != nullptr)
        return fmt::format("Pinned to '{}'; 'livesock use auto' undoes that.", pin);
    return fmt::format("Pinned to '{}', which is not live; 'livesock use auto' takes any.", pin);
}

std::vector<Cell> agent_row(const AgentReport& agent, const View& view, std::int64_t now) {
    const Colour weight = agent.selected ? Colour::bold : Colour::none;
    return {{agent.selected ? "*" : "", Colour::bold},
            {escaped(agent.state, longest_label), colour_of(agent.state)},
            {is_named(agent) ? shown(agent.label, longest_label) : "-", weight},
            {agent.keys ? fmt::format("{}", *agent.keys) : "-"},
            {round_trip_text(agent)},
            {agent.since > 0 ? seconds_text(now - agent.since) : "-"},
            {shown_path(view, agent.path)}};
}

std::string agents_table(const StatusReport& report, const View& view, std::int64_t now) {
    Table table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::right,
                 Align::left});
    table.add({{""}, {"STATE"}, {"AGENT"}, {"KEYS"}, {"ROUND TRIP"}, {"SINCE"}, {"PATH"}});
    for (const AgentReport& agent : report.agents) {
        table.add(agent_row(agent, view, now));
        if (agent.state != "live" && agent.reason)
            table.add_note(escaped(*agent.reason), label_column);
    }
    return table.text(view);
}

std::string users_text(const StandInReport& stand_in) {
    std::string text;
    std::int64_t named = 0;
    for (const StandInReport::User& user : stand_in.users) {
        if (named == most_users)
            break;
        text += fmt::format("{}{} ({})", named++ == 0 ? "" : ", ",
                            shown(user.program, longest_label), user.pid);
    }
    if (named == 0)
        return "-";
    return stand_in.processes > named
               ? text + fmt::format(" and {} more", stand_in.processes - named)
               : text;
}

std::string stand_ins_table(const StatusReport& report, const View& view) {
    Table table({Align::left, Align::left, Align::left});
    table.add({{"STAND-IN"}, {"USED BY"}, {"PATH"}});
    for (const StandInReport& stand_in : report.stand_ins)
        table.add({{escaped(stand_in.reason, longest_label)},
                   {users_text(stand_in)},
                   {shown_path(view, stand_in.path)}});
    return table.text(view);
}

std::string supervisor_text(const StatusReport& report, const View& view) {
    return fmt::format("Supervisor: pid {}, up {}; {}; {} answered, {} failed.\n"
                       "Agent socket: {}\n",
                       report.pid, seconds_text(report.uptime_seconds),
                       plural(report.clients, "client"), plural(report.answered, "request"),
                       report.failed, shown_path(view, report.agent_socket));
}

} // namespace

std::string agent_called(const AgentReport& agent) {
    if (!is_named(agent))
        return "the agent at " + escaped(agent.path);
    const std::string label = shown(agent.label, 2 * longest_label);
    return agent.forwarded ? "the agent of " + label : "the agent '" + label + "'";
}

std::string status_text(const StatusReport& report, const View& view, const Surroundings& here) {
    const AgentReport* const used = used_agent(report);
    const std::string first = used != nullptr ? working_text(*used) : not_working_text(report);
    const Colour colour = used != nullptr ? Colour::green : Colour::red;
    std::string verdict = wrapped(first, 0, view.width);
    verdict.pop_back(); // the newline comes after the colour
    std::string out = coloured(view, colour, verdict) + '\n';
    if (const std::string pin = pin_text(report, used); !pin.empty())
        out += wrapped(pin, 0, view.width);
    if (!here.uses_agent)
        out += wrapped("This shell does not use it: eval \"$(livesock env)\"", 0, view.width);
    if (!report.agents.empty())
        out += '\n' + agents_table(report, view, here.now);
    if (!report.stand_ins.empty())
        out += '\n' + stand_ins_table(report, view);
    return out + '\n' + supervisor_text(report, view);
}

std::string healing_text(const std::vector<HealReport>& healing, const View& view) {
    std::string text;
    for (const HealReport& path : healing)
        text += fmt::format("{}: {}{}\n", shown_path(view, path.path),
                            path.result == "refused" ? "refused: " : "", escaped(path.detail));
    return text;
}

std::string identities_text(const std::vector<IdentityReport>& identities, const View& view) {
    Table table({Align::left, Align::left, Align::left, Align::left});
    for (const IdentityReport& identity : identities)
        table.add({{escaped(identity.fingerprint)},
                   {shown(identity.type, longest_type)},
                   {shown(identity.comment, longest_comment)},
                   {shown(identity.label, longest_label)}});
    return table.text(view);
}

} // namespace livesock
