// The checks of what is close at hand: the supervisor, its directory, this shell, tmux.
#include "supervisor/base/escape.hpp"
#include "tools/doctor_checks.hpp"
#include "tools/own_socket.hpp"
#include "tools/phrases.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

/// So many panes of one kind are named.
constexpr std::size_t most_named_panes = 5;

std::string state_text(SocketState state) {
    switch (state) {
    case SocketState::unset:
        return "is not set";
    case SocketState::gone:
        return "leads nowhere: nobody listens there";
    case SocketState::silent:
        return "leads to an agent that does not answer";
    case SocketState::strangers:
        return "leads to another user, who sees what is asked there";
    case SocketState::answers:
        return "leads to an agent that answers";
    }
    return {};
}

bool is_dead_end(const SocketFacts& socket) {
    return !socket.is_ours && socket.state != SocketState::unset &&
           socket.state != SocketState::answers;
}

std::string stable_socket(const DoctorFacts& facts) {
    return facts.status.agent_socket.empty() ? facts.directory.path + "/agent.sock"
                                             : facts.status.agent_socket;
}

std::string tmux_remedy(const DoctorFacts& facts, const TmuxSession& session) {
    const std::string scope =
        session.name.empty() ? "-g" : "-t " + quoted_word(Shell::posix, session.name);
    return fmt::format("{} set-environment {} SSH_AUTH_SOCK {}", facts.tmux.command, scope,
                       quoted_word(Shell::posix, stable_socket(facts)));
}

std::string about_panes(const std::vector<const TmuxPane*>& panes) {
    std::string named;
    for (std::size_t i = 0; i < std::min(panes.size(), most_named_panes); ++i)
        named += fmt::format("{}{} ({})", i > 0 ? ", " : "", escaped(panes[i]->id),
                             shown(panes[i]->program, longest_label));
    if (panes.size() > most_named_panes)
        named += fmt::format(" and {} more", panes.size() - most_named_panes);
    return fmt::format("{} {} a path that leads nowhere: {}",
                       plural(static_cast<std::int64_t>(panes.size()), "pane"),
                       panes.size() == 1 ? "has" : "have", named);
}

/// What has the configuration be one that is taken; empty if it is.
std::string config_cure(const DoctorFacts& facts) {
    const ConfigFacts& config = facts.config;
    const std::string path = quoted_word(Shell::posix, config.path);
    switch (config.state) {
    case ConfigState::none:
    case ConfigState::unknown:
    case ConfigState::right:
        return {};
    case ConfigState::missing:
        return unset_command(facts.shell, "LIVESOCK_CONFIG");
    case ConfigState::unusable:
        return "chmod u+rw,o-w " + path;
    case ConfigState::misplaced:
        return fmt::format("mv {0} {0}.old", path);
    case ConfigState::wrong:
        return fmt::format("${{EDITOR:-vi}} +{} {}", config.line, path);
    }
    return {};
}

} // namespace

Findings check_supervisor(const DoctorFacts& facts) {
    const SupervisorState& supervisor = facts.supervisor;
    if (supervisor.answers)
        return {good(
            fmt::format("livesockd {} runs, pid {}", escaped(supervisor.version), supervisor.pid))};
    if (supervisor.is_stopped)
        return {bad(
            fmt::format("livesockd, pid {}, is stopped, by a signal or a debugger", supervisor.pid),
            fmt::format("kill -CONT {}", supervisor.pid))};
    if (supervisor.is_there && supervisor.pid > 0)
        return {bad(fmt::format("livesockd, pid {}, does not answer", supervisor.pid),
                    fmt::format("kill -9 {}; livesock start", supervisor.pid))};
    if (!facts.directory.problem.empty() || facts.directory.is_socket_blocked)
        return {bad("none can run: see the directory",
                    check_directory(facts).front().remedy + " && livesock start")};
    if (const std::string cure = config_cure(facts); !cure.empty())
        return {bad("none can run: see the configuration", cure + " && livesock start")};
    return {bad("none is running", "livesock start")};
}

Findings check_directory(const DoctorFacts& facts) {
    const DirectoryState& directory = facts.directory;
    if (directory.is_foreign)
        return {bad(printable(directory.problem), unset_command(facts.shell, "LIVESOCK_DIR"))};
    if (!directory.problem.empty() && !directory.right_home.empty())
        return {bad(
            fmt::format("{}: HOME is another user's", printable(directory.problem)),
            export_command(facts.shell, "HOME", quoted_word(facts.shell, directory.right_home)))};
    if (!directory.problem.empty() && directory.is_mode_the_problem)
        return {bad(escaped(directory.problem),
                    fmt::format("chmod 700 {}", quoted_word(Shell::posix, directory.path)))};
    if (!directory.problem.empty())
        return {bad(escaped(directory.problem),
                    fmt::format("mv {0} {0}.old", quoted_word(Shell::posix, directory.path)))};
    if (!directory.exists)
        return {nothing("it is made when the supervisor starts")};
    if (directory.is_socket_blocked)
        return {bad(fmt::format("{}/agent.sock is no socket", escaped(directory.path)),
                    fmt::format("mv {0} {0}.old && livesock restart",
                                quoted_word(Shell::posix, directory.path + "/agent.sock")))};
    if (facts.supervisor.answers && !directory.has_agent_socket)
        return {bad(fmt::format("there is no agent.sock in {}", escaped(directory.path)),
                    "livesock restart")};
    if (directory.path != directory.preferred && !directory.preferred.empty())
        return {good(fmt::format("{}, because no socket can be in {}", escaped(directory.path),
                                 escaped(directory.preferred)))};
    return {good(escaped(directory.path) + " is yours alone")};
}

Findings check_config(const DoctorFacts& facts) {
    const ConfigFacts& config = facts.config;
    const std::string cure = config_cure(facts);
    if (config.state == ConfigState::unknown)
        return {nothing(escaped(config.path) + " could not be checked: livesockd does not say")};
    if (config.state == ConfigState::none)
        return {nothing("there is none: everything is as it is by default")};
    if (cure.empty())
        return {good(escaped(config.path) + " is right")};
    if (facts.supervisor.answers && config.state == ConfigState::missing)
        return {nothing(escaped(config.path) + " is gone; what was read there is in force")};
    if (facts.supervisor.answers)
        return {bad(config.problem + "; what was read before is in force",
                    cure + " && livesock reload")};
    return {bad(config.problem, cure)};
}

Findings check_shell(const DoctorFacts& facts) {
    const SocketFacts& socket = facts.socket;
    if (socket.state == SocketState::unset)
        return {bad("SSH_AUTH_SOCK is not set", env_command_of(facts))};
    const std::string subject = fmt::format("SSH_AUTH_SOCK, {},", escaped(socket.path));
    if (socket.is_ours)
        return {good("SSH_AUTH_SOCK leads to livesock")};
    if (socket.state == SocketState::answers)
        return {good(subject + " is an agent of your own choice, and answers")};
    if (facts.preload.is_loaded && !facts.livesock_dir.empty() &&
        socket.state == SocketState::gone && has_forwarded_shape(socket.path))
        return {good(subject + " is gone, and the shim leads to the live agent")};
    return {bad(fmt::format("{} {}", subject, state_text(socket.state)), env_command_of(facts))};
}

Findings check_tmux(const DoctorFacts& facts) {
    if (!facts.tmux.runs)
        return {nothing("no tmux server of yours is running")};
    Findings findings;
    for (const TmuxSession& session : facts.tmux.sessions)
        if (is_dead_end(session.socket))
            findings.push_back(
                bad(fmt::format("new panes{} get an SSH_AUTH_SOCK that {}",
                                session.name.empty()
                                    ? std::string()
                                    : " of session " + shown(session.name, longest_label),
                                state_text(session.socket.state)),
                    tmux_remedy(facts, session)));
    std::vector<const TmuxPane*> lost;
    std::vector<const TmuxPane*> others;
    for (const TmuxPane& pane : facts.tmux.panes)
        if (is_dead_end(pane.socket))
            (has_forwarded_shape(pane.socket.path) ? lost : others).push_back(&pane);
    if (!lost.empty())
        findings.push_back(bad(about_panes(lost), "livesock heal"));
    if (!others.empty())
        findings.push_back(nothing(about_panes(others) + "; it is no login's, and stays so in what "
                                                         "runs there: start that anew"));
    if (findings.empty())
        findings.push_back(
            good(fmt::format("{}, and what they have for SSH_AUTH_SOCK answers",
                             plural(static_cast<std::int64_t>(facts.tmux.panes.size()), "pane"))));
    return findings;
}

} // namespace livesock
