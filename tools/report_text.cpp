#include "tools/report_text.hpp"

#include "supervisor/base/escape.hpp"
#include "tools/phrases.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

/// Longer types and comments are cut, so that a line stays a line.
constexpr std::size_t longest_type = 24;
constexpr std::size_t longest_comment = 40;

/// The column of the agents' table below which the reasons stand.
constexpr std::size_t label_column = 2;

/// So many of those who use a stand-in are named.
constexpr std::int64_t most_stand_in_users = 3;
/// And so many of those who use an agent.
constexpr std::size_t most_named_users = 3;

std::string verdict_figures(const AgentReport& agent) {
    std::string keys = agent.keys ? plural(*agent.keys, "key") : "";
    if (!agent.round_trip_ms)
        return keys.empty() ? "" : " (" + keys + ")";
    return fmt::format(" ({}{}{})", keys, keys.empty() ? "" : ", ", round_trip_text(agent));
}

/// Who types decides, unless a pin does, or there is nothing to be decided.
bool is_up_to_who_types(const StatusReport& report) {
    const auto live = std::count_if(report.agents.begin(), report.agents.end(),
                                    [](const AgentReport& agent) { return agent.state == "live"; });
    return report.follows_typing && !report.pinned && live > 1;
}

std::string working_text(const StatusReport& report, const AgentReport& agent) {
    if (is_overdue(agent))
        return fmt::format("ssh uses {}, which was asked {} ago and has not answered yet. Look "
                           "again in a moment.",
                           agent_called(agent), overdue_text(agent));
    if (is_up_to_who_types(report))
        return fmt::format("livesock is working: ssh uses the agent of the machine that is typed "
                           "on; where that is not known, {}{}.",
                           agent_called(agent), verdict_figures(agent));
    if (agent.keys == 0)
        return fmt::format("livesock is working, but {} has no keys: load one with ssh-add where "
                           "that agent runs.",
                           agent_called(agent));
    return fmt::format("livesock is working: ssh uses {}{}.", agent_called(agent),
                       verdict_figures(agent));
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
    for (const AgentReport& agent : report.agents)
        if (agent.upstream && agent.reason)
            return fmt::format("No agent is live: {} cannot be reached.", agent_called(agent));
    if (!report.agents.empty())
        return "No agent is live: those that were have ended. Log in again with 'ssh -A'.";
    return "No agent is live: none has been found. Log in with 'ssh -A', or name an agent's socket "
           "with 'livesock register PATH'.";
}

std::string pin_text(const StatusReport& report, const AgentReport* used) {
    if (!report.pinned)
        return "";
    const std::string pin = escaped(*report.pinned);
    if (used != nullptr && used->pinned == false)
        return fmt::format("Pinned to '{}', which is not live: {} is used until it is. 'livesock "
                           "use auto' undoes that.",
                           pin, agent_called(*used));
    if (used != nullptr)
        return fmt::format("Pinned to '{}'; 'livesock use auto' undoes that.", pin);
    return fmt::format("Pinned to '{}', which is not live; 'livesock use auto' takes any.", pin);
}

std::vector<Cell> agent_row(const AgentReport& agent, const View& view, std::int64_t now,
                            std::size_t label_width) {
    const Colour weight = agent.selected ? Colour::bold : Colour::none;
    return {{agent.selected ? "*" : "", Colour::bold},
            {escaped(agent.state, longest_label), colour_of(agent.state)},
            {is_named(agent) ? shown(agent.label, label_width) : "-", weight},
            {agent.keys ? fmt::format("{}", *agent.keys) : "-"},
            {round_trip_text(agent)},
            {agent.since > 0 ? seconds_text(now - agent.since) : "-"},
            {shown_path(view, agent.path)}};
}

Table agents_table(const StatusReport& report, const View& view, std::int64_t now,
                   std::size_t label_width) {
    Table table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::right,
                 Align::left});
    table.add({{""}, {"STATE"}, {"AGENT"}, {"KEYS"}, {"ROUND TRIP"}, {"SINCE"}, {"PATH"}});
    for (const AgentReport& agent : report.agents) {
        table.add(agent_row(agent, view, now, label_width));
        if (const std::string why = state_note(agent); !why.empty())
            table.add_note(why, label_column);
        if (const std::string users = users_note(agent, view, most_named_users); !users.empty())
            table.add_note(users, label_column);
    }
    return table;
}

std::string agents_text(const StatusReport& report, const View& view, std::int64_t now) {
    constexpr std::size_t short_label = 26; // at 80 columns that leaves a path its least
    Table table = agents_table(report, view, now, longest_label);
    if (!table.fits(view))
        table = agents_table(report, view, now, short_label);
    return table.text(view);
}

std::string users_text(const StandInReport& stand_in, std::int64_t most) {
    std::string text;
    std::int64_t named = 0;
    for (const StandInReport::User& user : stand_in.users) {
        if (named == most)
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

Table stand_ins_table(const StatusReport& report, const View& view, std::int64_t most) {
    Table table({Align::left, Align::left, Align::left});
    table.add({{"STAND-IN"}, {"USED BY"}, {"PATH"}});
    for (const StandInReport& stand_in : report.stand_ins)
        table.add({{escaped(stand_in.reason, longest_label)},
                   {users_text(stand_in, most)},
                   {shown_path(view, stand_in.path)}});
    constexpr std::size_t used_by = 1;
    if (most == 1)
        table.leave_out({used_by}, view);
    return table;
}

std::string signing_table(const StatusReport& report, const View& view) {
    Table table({Align::left, Align::right, Align::right, Align::right, Align::left});
    table.add({{"SIGNING AT"}, {"SIGNATURES"}, {"ANSWERED"}, {"REFUSED"}, {"NAME"}});
    for (const SigningReport& listener : report.signing) {
        table.add({{shown(listener.listen, is_wide(view) ? 2 * longest_label : longest_label)},
                   {fmt::format("{}", listener.signatures)},
                   {fmt::format("{}", listener.answered)},
                   {fmt::format("{}", listener.refused)},
                   {listener.name == listener.listen ? "-" : escaped(listener.name)}});
        if (listener.problem)
            table.add_note(escaped(*listener.problem), 0);
    }
    return table.text(view);
}

std::string listeners_table(const StatusReport& report, const View& view) {
    Table table({Align::left, Align::left, Align::left});
    table.add({{"LISTENER"}, {"STATE"}, {"ADDRESS"}});
    for (const ListenerReport& listener : report.listeners) {
        const bool is_well = !listener.reason;
        table.add({{escaped(listener.kind, longest_label)},
                   {is_well ? "open" : "closed", is_well ? Colour::green : Colour::red},
                   {shown_path(view, listener.name)}});
        if (!is_well)
            table.add_note(escaped(*listener.reason), 1);
    }
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

std::string stand_ins_text(const StatusReport& report, const View& view) {
    for (std::int64_t most = most_stand_in_users;; --most)
        if (const Table table = stand_ins_table(report, view, most); most == 1 || table.fits(view))
            return table.text(view);
}

/// What is said to a shell whose programs do not reach the live agent.
std::string unused_text(const StatusReport& report, const View& view, const ThisShell& here) {
    if (here.uses_login)
        return "This shell uses the agent of its own login until that ends, and then this one.";
    if (here.own_agent.empty())
        return "This shell does not use it: eval \"$(livesock env)\"";
    const bool is_known =
        std::any_of(report.agents.begin(), report.agents.end(),
                    [&](const AgentReport& agent) { return agent.path == here.own_agent; });
    return fmt::format("This shell uses an agent of its own choice, {}{}",
                       shown_path(view, here.own_agent),
                       is_known ? "." : "; to have livesock use that, too: livesock register");
}

std::string verdict_text(const StatusReport& report, const View& view) {
    const AgentReport* const used = used_agent(report);
    const std::string first =
        used != nullptr ? working_text(report, *used) : not_working_text(report);
    const Colour colour = used == nullptr     ? Colour::red
                          : is_overdue(*used) ? Colour::yellow
                                              : Colour::green;
    std::string verdict = wrapped(first, 0, view.width);
    verdict.pop_back(); // the newline comes after the colour
    return coloured(view, colour, verdict) + '\n';
}

std::string waiting_text(const StatusReport& report, const View& view) {
    if (used_agent(report) != nullptr)
        return verdict_text(report, view);
    return wrapped("Waiting. " + not_working_text(report), 0, view.width);
}

std::string status_text(const StatusReport& report, const View& view, const ThisShell& here) {
    std::string out = verdict_text(report, view);
    if (const std::string pin = pin_text(report, used_agent(report)); !pin.empty())
        out += wrapped(pin, 0, view.width);
    if (!here.uses_agent)
        out += wrapped(unused_text(report, view, here), 0, view.width);
    if (!report.agents.empty())
        out += '\n' + agents_text(report, view, here.now);
    if (!report.stand_ins.empty())
        out += '\n' + stand_ins_text(report, view);
    if (!report.signing.empty())
        out += '\n' + signing_table(report, view);
    if (!report.listeners.empty())
        out += '\n' + listeners_table(report, view);
    return out + '\n' + supervisor_text(report, view);
}

std::string healing_text(const std::vector<HealReport>& healing, const View& view) {
    std::string text;
    for (const HealReport& path : healing)
        text += fmt::format("{}: {}{}\n", shown_path(view, path.path),
                            path.result == "refused" ? "refused: " : "", escaped(path.detail));
    return text;
}

std::string choice_text(const std::string& wanted, const ChoiceReport& choice, const View& view) {
    if (!choice.label)
        return "No agent is live now; 'livesock status' says more.\n";
    const std::string label = escaped(*choice.label);
    if (!choice.by)
        return fmt::format("Choosing by itself again: now '{}'.\n", label);
    const bool is_meant =
        choice.among.empty() ||
        std::find(choice.among.begin(), choice.among.end(), *choice.label) != choice.among.end();
    std::string text =
        is_meant ? fmt::format("Now using '{}', called so by its {}.", label, escaped(*choice.by))
                 : fmt::format("'{}' is pinned, but not live: now '{}' is used.", escaped(wanted),
                               label);
    if (choice.among.size() > 1) {
        std::string others;
        for (const std::string& one : choice.among)
            others += fmt::format("{}'{}'", others.empty() ? "" : ", ", escaped(one));
        text += fmt::format(" '{}' is one of {}: {}. The newest that is live is used.",
                            escaped(wanted), choice.among.size(), others);
    }
    return wrapped(text, 0, view.width);
}

std::string identities_text(const std::vector<IdentityReport>& identities) {
    Table table({Align::left, Align::left, Align::left, Align::left});
    for (const IdentityReport& identity : identities)
        table.add({{escaped(identity.fingerprint)},
                   {shown(identity.type, longest_type)},
                   {shown(identity.comment, longest_comment)},
                   {shown(identity.label, longest_label)}});
    return table.text({}); // a fingerprint takes most of a line: the rest is not worth cutting
}

} // namespace livesock
