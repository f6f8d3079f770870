#include "tools/phrases.hpp"

#include "supervisor/base/clock.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace livesock {
namespace {

constexpr std::int64_t century = std::int64_t{100} * 365 * 24 * 3600;
constexpr double longest_milliseconds = 100.0 * 365 * 24 * 3600 * 1000;

/// "git in ~/src/x, pane %3 (waits for a signature, 4.0 s)"
std::string user_text(const UserReport& user, const View& view) {
    const std::string called = client_called(user.client, view);
    if (!user.request)
        return called;
    const std::string wish = *user.request == "sign" ? "a signature" : "an answer";
    return fmt::format("{} (waits for {}, {})", called, wish,
                       milliseconds_text(user.seconds * 1000));
}

} // namespace

std::string shown(const std::string& text, std::size_t width) {
    return cut_middle(escaped(text), width);
}

std::string plural(std::int64_t count, const char* what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string seconds_text(std::int64_t seconds) {
    const std::int64_t sane = std::clamp<std::int64_t>(seconds, 0, century);
    if (sane == 0)
        return "now";
    return sane < 60 ? fmt::format("{} s", sane) : format_duration(std::chrono::seconds(sane));
}

std::string milliseconds_text(double milliseconds) {
    const double sane = std::clamp(milliseconds, 0.0, longest_milliseconds);
    return format_duration(
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(sane)));
}

bool is_overdue(const AgentReport& agent) {
    // Most questions that are open at this moment are answered before anybody could read of them.
    constexpr double noticed = 250;
    return agent.unanswered_seconds &&
           *agent.unanswered_seconds * 1000 >= std::max(noticed, agent.round_trip_ms.value_or(0));
}

std::string overdue_text(const AgentReport& agent) {
    return milliseconds_text(*agent.unanswered_seconds * 1000);
}

std::string round_trip_text(const AgentReport& agent) {
    if (is_overdue(agent))
        return '>' + overdue_text(agent);
    if (!agent.round_trip_ms || !std::isfinite(*agent.round_trip_ms))
        return "-";
    return milliseconds_text(*agent.round_trip_ms);
}

Colour colour_of(const std::string& state) {
    if (state == "live")
        return Colour::green;
    if (state == "late")
        return Colour::yellow;
    return state == "hung" || state == "dead" ? Colour::red : Colour::none;
}

bool is_named(const AgentReport& agent) {
    return !agent.label.empty() && agent.label != agent.path;
}

std::string agent_called(const AgentReport& agent) {
    if (!is_named(agent))
        return "the agent at " + escaped(agent.path);
    const std::string label = shown(agent.label, 2 * longest_label);
    return agent.forwarded ? "the agent of " + label : "the agent '" + label + "'";
}

const AgentReport* used_agent(const StatusReport& report) {
    for (const AgentReport& agent : report.agents)
        if (agent.selected && agent.state == "live")
            return &agent;
    return nullptr;
}

std::string client_called(const ClientReport& client, const View& view) {
    const std::string& name = client.command.empty() ? client.program : client.command;
    // The kernel names no process of another machine, or of a container.
    if (name.empty())
        return client.pid > 0 ? "a program that has ended" : "a program elsewhere";
    std::string called = shown(name, longest_label);
    if (!client.directory.empty())
        called += " in " + shown_path(view, client.directory);
    if (!client.pane.empty())
        called += ", pane " + shown(client.pane, longest_label);
    return called;
}

std::string state_note(const AgentReport& agent) {
    if (agent.state != "live")
        return escaped(agent.reason.value_or(""));
    return is_overdue(agent)
               ? fmt::format("it was asked {} ago and has not answered yet", overdue_text(agent))
               : "";
}

std::string users_note(const AgentReport& agent, const View& view, std::size_t most) {
    std::string text;
    const auto named = static_cast<std::int64_t>(std::min(agent.users.size(), most));
    for (std::int64_t i = 0; i < named; ++i)
        text += (i == 0 ? "used by " : "; ") +
                user_text(agent.users[static_cast<std::size_t>(i)], view);
    return agent.user_count > named && named > 0
               ? text + fmt::format("; and {} more", agent.user_count - named)
               : text;
}

std::string command_line(const std::string& command, const View& view) {
    return "    " + coloured(view, Colour::bold, command) + '\n';
}

std::string user_name() {
    const passwd* const user = ::getpwuid(::geteuid());
    return user != nullptr ? user->pw_name : "";
}

std::string login_port(std::string_view connection) {
    constexpr std::string_view usual = "22";
    std::string_view port;
    std::size_t words = 0;
    while (!connection.empty()) {
        port = connection.substr(0, connection.find(' '));
        connection.remove_prefix(std::min(port.size() + 1, connection.size()));
        ++words;
    }
    const bool is_number = !port.empty() && port.size() <= 5 &&
                           port.find_first_not_of("0123456789") == std::string_view::npos;
    return words == 4 && is_number && port != usual ? std::string(port) : std::string();
}

std::string login_command() {
    const std::string user = user_name();
    utsname host{};
    const bool knows_host = ::uname(&host) == 0 && host.nodename[0] != '\0';
    const std::string where = knows_host ? escaped(host.nodename) : "HOST";
    const std::string port = login_port(environment("SSH_CONNECTION"));
    return fmt::format("ssh -A {}{}{}", port.empty() ? "" : fmt::format("-p {} ", port),
                       user.empty() ? "" : escaped(user) + '@', where);
}

} // namespace livesock
