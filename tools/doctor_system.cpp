// The checks of logins and agents, and of what the system and other tools do.
#include "supervisor/base/escape.hpp"
#include "tools/doctor_checks.hpp"
#include "tools/phrases.hpp"
#include "tools/system_files.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fnmatch.h>

namespace livesock {
namespace {

std::string place_of(const FileLine& line) {
    return fmt::format("{}:{}", escaped(line.file), line.number);
}

/// The command that changes the line by an expression of sed.
std::string change(const DoctorFacts& facts, const FileLine& line, const char* expression) {
    return fmt::format("sed -i --follow-symlinks '{}{}' {}", line.number, expression,
                       quoted_word(facts.shell, line.file));
}

/// The command that keeps a shell from obeying the line. A comment in its place could be what an
/// `if` has nothing else after its `then`, and then no shell would read the file any more.
std::string silence(const FileLine& line, const DoctorFacts& facts) {
    return stands_alone(line.text) ? change(facts, line, "s/^/: # /")
                                   : edit_command_of(facts, line.file, line.number);
}

/// Debian's unit has another name than the others'. In a shell of its own: what stands before may
/// fail.
constexpr const char* reload_sshd =
    " && sudo sh -c 'systemctl reload ssh || systemctl reload sshd'";

bool has_forwarded(const StatusReport& status) {
    return std::any_of(status.agents.begin(), status.agents.end(), [](const AgentReport& agent) {
        return agent.forwarded && agent.state != "dead";
    });
}

/// The login `command`, on a connection of its own.
std::string past_master(const std::string& command) {
    constexpr std::string_view forwarding = "ssh -A ";
    return command.starts_with(forwarding) ? "ssh -A -S none " + command.substr(forwarding.size())
                                           : command;
}

bool is_silent(const AgentReport& agent) {
    return agent.state == "late" || agent.state == "hung";
}

bool is_below(const std::string& path, const std::string& directory) {
    return path.starts_with(directory + '/');
}

/// What lies in /tmp and has to outlive its clean-up.
std::vector<std::string> kept_in_tmp(const DoctorFacts& facts) {
    std::vector<std::string> kept;
    if (is_below(facts.directory.path, "/tmp"))
        kept.push_back(facts.directory.path);
    for (const StandInReport& stand_in : facts.status.stand_ins)
        if (is_below(stand_in.path, "/tmp"))
            kept.push_back(stand_in.path.substr(0, stand_in.path.rfind('/')));
    return kept;
}

bool is_excepted(const std::vector<std::string>& patterns, const std::string& path) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
    });
}

/// Who sets the variable in what is started from its windows.
struct Rival {
    const char* mark; ///< in the path of its socket
    const char* name;
    const char* ending; ///< the command that keeps it from doing so; may be null
};
/// gnome-keyring was started by the desktop, before gcr had an agent of its own and systemd start
/// it.
constexpr Rival rivals[] = {
    {"/wezterm/agent", "wezterm (mux_enable_ssh_agent)", nullptr},
    {"/vscode-ssh-auth-", "VS Code", nullptr},
    {"/keyring/ssh", "gnome-keyring",
     "mkdir -p ~/.config/autostart && printf '[Desktop Entry]\\nType=Application\\nHidden=true\\n' "
     ">~/.config/autostart/gnome-keyring-ssh.desktop"},
    {"/gcr/ssh", "gnome-keyring (gcr)", "systemctl --user mask --now gcr-ssh-agent.socket"},
};

/// For this shell, and for those to come.
std::string remedy_against(const Rival& rival, const DoctorFacts& facts) {
    return (rival.ending != nullptr ? rival.ending + std::string("; ") : "") +
           env_command_of(facts);
}

/// A tool that follows the logins leads to an agent that one of them has brought along.
bool is_forwarded(const SocketFacts& socket, const StatusReport& status) {
    return std::any_of(status.agents.begin(), status.agents.end(), [&](const AgentReport& agent) {
        return agent.forwarded && agent.state == "live" && agent.path == socket.target;
    });
}

const Rival* rival_at(const SocketFacts& socket) {
    const auto found = std::find_if(std::begin(rivals), std::end(rivals), [&](const Rival& rival) {
        return !socket.is_ours && socket.path.find(rival.mark) != std::string::npos;
    });
    return found == std::end(rivals) ? nullptr : found;
}

/// Whose agent.sock it is by the usual place of the runtime directory, which may lie on a home
/// directory that several hosts share; empty if it is elsewhere.
std::string host_of(const std::string& path) {
    constexpr std::string_view parent = "/.local/state/livesock/";
    const std::size_t start = path.find(parent);
    if (start == std::string::npos)
        return {};
    const std::string rest = path.substr(start + parent.size());
    const std::size_t end = rest.find('/');
    return end != std::string::npos && rest.substr(end) == "/agent.sock" ? rest.substr(0, end) : "";
}

} // namespace

Findings check_forwarding(const DoctorFacts& facts) {
    const LoginState& login = facts.login_state;
    if (!login.forbidding.empty())
        return {bad(fmt::format("sshd forbids it ({}: {})", place_of(login.forbidding[0]),
                                escaped(login.forbidding[0].text)),
                    "sudo " + change(facts, login.forbidding[0], "s/^/# /") + reload_sshd)};
    if (has_forwarded(facts.status))
        return {good("an agent is forwarded to this host")};
    if (!facts.supervisor.answers)
        return {nothing("the supervisor would know")};
    if (used_agent(facts.status) != nullptr)
        return {good("none, but another agent is live")};
    if (facts.socket.state == SocketState::answers && !facts.socket.is_ours)
        return {bad("none, and livesock does not know the agent that this shell uses",
                    "livesock register")};
    if (!login.restricted_keys.empty() && login.is_ssh)
        return {bad(
            fmt::format("none, and {} forbids it for a key", place_of(login.restricted_keys[0])),
            edit_command_of(facts, login.restricted_keys[0].file,
                            login.restricted_keys[0].number))};
    if (login.is_mosh)
        return {bad("none: mosh forwards no agent. Keep a login by ssh beside it", facts.login)};
    if (login.is_ssh)
        return {bad("none: this login was made without 'ssh -A', or through a ControlMaster that "
                    "was. Log in again, past that",
                    past_master(facts.login))};
    return {
        bad("no agent is live here at all: log in from a computer with your keys", facts.login)};
}

Findings check_sleepers(const DoctorFacts& facts) {
    const auto sleeper =
        std::find_if(facts.status.agents.begin(), facts.status.agents.end(), is_silent);
    if (!facts.supervisor.answers)
        return {nothing("the supervisor would know")};
    const auto slow =
        std::find_if(facts.status.agents.begin(), facts.status.agents.end(), is_overdue);
    if (sleeper == facts.status.agents.end() && slow != facts.status.agents.end())
        return {nothing(fmt::format("{} was asked {} ago and has not answered yet",
                                    agent_called(*slow), overdue_text(*slow)))};
    if (sleeper == facts.status.agents.end())
        return {good("every agent that is there answers")};
    const std::string text = fmt::format("{} does not answer", agent_called(*sleeper));
    if (used_agent(facts.status) == nullptr)
        return {
            bad(text + ", and no other is live: wake its computer, or log in again", facts.login)};
    return {good(text + "; requests go to " + agent_called(*used_agent(facts.status)))};
}

Findings check_shared_home(const DoctorFacts& facts) {
    const std::string host = host_of(facts.socket.path);
    const bool is_served = facts.socket.is_ours && facts.supervisor.answers;
    if (!host.empty() && host != facts.host && !is_served)
        return {bad(
            fmt::format("SSH_AUTH_SOCK is that of another host, {}", shown(host, longest_label)),
            unset_command(facts.shell, "LIVESOCK_DIR") + "; " + env_command_of(facts))};
    if (facts.system.foreign_sockets > 0)
        return {good(fmt::format("{} in ~/.ssh/agent, of other hosts or of logins that ended, {} "
                                 "passed over",
                                 plural(facts.system.foreign_sockets, "socket"),
                                 facts.system.foreign_sockets == 1 ? "is" : "are"))};
    return {good("no socket of another host is in the way")};
}

Findings check_linger(const DoctorFacts& facts) {
    const SystemState& system = facts.system;
    if (!system.has_logind)
        return {nothing("there is no logind that ends what you leave running")};
    // Lingering keeps services of the user alone: what a login has started ends with it all the
    // same.
    if (!system.killing.empty())
        return {bad(fmt::format("logind ends what you leave running, tmux too ({}: {})",
                                place_of(system.killing[0]), escaped(system.killing[0].text)),
                    "sudo " + change(facts, system.killing[0], "s/=.*/=no/") +
                        " && sudo systemctl restart systemd-logind")};
    if (system.lingers)
        return {good("what you leave running goes on (linger is enabled)")};
    if (facts.supervisor.is_user_service)
        return {bad("livesockd is a user service, and ends with your last login",
                    "loginctl enable-linger")};
    return {good("what you leave running goes on")};
}

Findings check_ageing(const DoctorFacts& facts) {
    if (facts.system.ageing.empty())
        return {good("nobody cleans /tmp by age")};
    for (const std::string& path : kept_in_tmp(facts))
        if (!is_excepted(facts.system.kept, path))
            return {bad(fmt::format("{} has {} cleaned away by its age",
                                    place_of(facts.system.ageing[0]), escaped(path)),
                        fmt::format("echo {} | sudo tee -a /etc/tmpfiles.d/livesock.conf",
                                    quoted(facts.shell, "x " + escaped(path))))};
    return {good("/tmp is cleaned by age, and nothing of livesock is in the way")};
}

Findings check_rivals(const DoctorFacts& facts) {
    Findings findings;
    if (const Rival* const rival = rival_at(facts.socket);
        rival && has_forwarded(facts.status) && !is_forwarded(facts.socket, facts.status))
        findings.push_back(bad(fmt::format("{} has set SSH_AUTH_SOCK, and nothing here asks the "
                                           "agent that is forwarded",
                                           rival->name),
                               remedy_against(*rival, facts)));
    for (const FileLine& line : facts.system.rivals)
        findings.push_back(bad(fmt::format("{} sets SSH_AUTH_SOCK, too: {}", place_of(line),
                                           cut_middle(escaped(line.text), 2 * longest_label)),
                               silence(line, facts)));
    if (findings.empty())
        findings.push_back(good("none sets SSH_AUTH_SOCK in what your shells read"));
    return findings;
}

Findings check_versions(const DoctorFacts& facts) {
    const SupervisorState& supervisor = facts.supervisor;
    if (!supervisor.answers)
        return {nothing(supervisor.is_there ? "the supervisor would know"
                                            : "no supervisor is running")};
    if (supervisor.version != facts.version)
        return {bad(fmt::format("livesockd {} is running, but {} is installed",
                                escaped(supervisor.version), facts.version),
                    "livesock restart")};
    if (supervisor.is_removed)
        return {nothing("livesockd was removed since it was started; what runs goes on")};
    if (supervisor.is_replaced)
        return {bad("livesockd was replaced since it was started", "livesock restart")};
    if (facts.system.old_shims > 0)
        return {good(fmt::format("{} with an older liblivesock.so, and {} on to work",
                                 plural(facts.system.old_shims, "program") +
                                     (facts.system.old_shims == 1 ? " runs" : " run"),
                                 facts.system.old_shims == 1 ? "goes" : "go"))};
    return {good("what runs is what is installed")};
}

} // namespace livesock
