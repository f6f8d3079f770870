// The checks of this shell, and of tmux.
#include "supervisor/base/escape.hpp"
#include "tools/doctor_checks.hpp"
#include "tools/own_agent.hpp"
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

/// How a server is called where there are several; "" where it is the only one.
std::string name_of(const DoctorFacts& facts, const TmuxServer& server) {
    return facts.tmux.size() > 1
               ? shown(server.path.substr(server.path.rfind('/') + 1), longest_label)
               : "";
}

std::string tmux_remedy(const DoctorFacts& facts, const TmuxServer& server,
                        const TmuxSession& session) {
    // tmux takes "%0" and "~" for something else, and "a" for the beginning of "abc".
    const std::string scope =
        session.name.empty() ? "-g" : "-t " + quoted_word(facts.shell, '=' + session.name);
    return fmt::format("tmux -S {} set-environment {} SSH_AUTH_SOCK {}",
                       quoted_word(facts.shell, server.path), scope,
                       quoted_word(facts.shell, stable_socket(facts)));
}

std::string about_session(const DoctorFacts& facts, const TmuxServer& server,
                          const TmuxSession& session) {
    const std::string name = name_of(facts, server);
    return fmt::format(
        "new panes{}{} get an SSH_AUTH_SOCK that {}",
        session.name.empty() ? "" : " of session " + shown(session.name, longest_label),
        name.empty() ? "" : " of the server " + name, state_text(session.socket.state));
}

/// "%0 (sh)", or "%0 of the server work (sh)".
std::string pane_called(const DoctorFacts& facts, const TmuxServer& server, const TmuxPane& pane) {
    const std::string name = name_of(facts, server);
    return fmt::format("{}{} ({})", escaped(pane.id), name.empty() ? "" : " of the server " + name,
                       shown(pane.program, longest_label));
}

/// `panes` are their names.
std::string about_panes(const std::vector<std::string>& panes) {
    std::string named;
    for (std::size_t i = 0; i < std::min(panes.size(), most_named_panes); ++i)
        named += (i > 0 ? ", " : "") + panes[i];
    if (panes.size() > most_named_panes)
        named += fmt::format(" and {} more", panes.size() - most_named_panes);
    return fmt::format("{} {} a path that leads nowhere: {}",
                       plural(static_cast<std::int64_t>(panes.size()), "pane"),
                       panes.size() == 1 ? "has" : "have", named);
}

std::string about_all_panes(const DoctorFacts& facts) {
    std::int64_t count = 0;
    for (const TmuxServer& server : facts.tmux)
        count += static_cast<std::int64_t>(server.panes.size());
    const auto servers = static_cast<std::int64_t>(facts.tmux.size());
    return fmt::format("{}{}, and what they have for SSH_AUTH_SOCK answers", plural(count, "pane"),
                       servers > 1 ? " of " + plural(servers, "server") : "");
}

} // namespace

Findings check_shell(const DoctorFacts& facts) {
    const SocketFacts& socket = facts.socket;
    if (socket.state == SocketState::unset)
        return {bad("SSH_AUTH_SOCK is not set", env_command_of(facts))};
    const bool is_armed = facts.preload.is_loaded && !facts.livesock_dir.empty();
    const bool answers = socket.state == SocketState::answers;
    const std::string subject = fmt::format("SSH_AUTH_SOCK, {},", escaped(socket.path));
    switch (use_of(socket, facts.status.live.value_or(""), is_armed)) {
    case ShellUse::livesock:
        if (socket.is_ours)
            return {good("SSH_AUTH_SOCK leads to livesock")};
        if (socket.state == SocketState::gone)
            return {good(subject + " is gone, and the shim leads to the live agent")};
        [[fallthrough]];
    case ShellUse::login:
        if (answers)
            return {good(subject + " answers; the shim leads on when its login has ended")};
        break;
    case ShellUse::own:
        if (answers)
            return {good(subject + " is an agent of your own choice, and answers")};
        break;
    case ShellUse::nothing:
        if (answers)
            return {bad(subject + " answers, but ends with its login", env_command_of(facts))};
        break;
    }
    return {bad(fmt::format("{} {}", subject, state_text(socket.state)), env_command_of(facts))};
}

Findings check_tmux(const DoctorFacts& facts) {
    if (facts.tmux.empty())
        return {nothing("no tmux server of yours is running")};
    Findings findings;
    std::vector<std::string> lost;
    std::vector<std::string> others;
    for (const TmuxServer& server : facts.tmux) {
        if (!server.answers)
            findings.push_back(nothing(fmt::format("{} was not looked at: it, or another server, "
                                                   "does not answer",
                                                   escaped(server.path))));
        for (const TmuxSession& session : server.sessions)
            if (is_dead_end(session.socket))
                findings.push_back(bad(about_session(facts, server, session),
                                       tmux_remedy(facts, server, session)));
        for (const TmuxPane& pane : server.panes)
            if (is_dead_end(pane.socket))
                (has_forwarded_shape(pane.socket.path) ? lost : others)
                    .push_back(pane_called(facts, server, pane));
    }
    if (!lost.empty())
        findings.push_back(bad(about_panes(lost), "livesock heal"));
    if (!others.empty())
        findings.push_back(nothing(about_panes(others) + "; it is no login's, and stays so in what "
                                                         "runs there: start that anew"));
    if (findings.empty())
        findings.push_back(good(about_all_panes(facts)));
    return findings;
}

} // namespace livesock
