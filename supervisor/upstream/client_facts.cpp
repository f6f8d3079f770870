#include "supervisor/upstream/client_facts.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/process_files.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace livesock {
namespace {

constexpr std::string_view shells[] = {"ash", "bash", "csh", "dash", "fish",
                                       "ksh", "mksh", "sh",  "tcsh", "zsh"};

/// git starts ssh, and was typed; what a shell starts without job control is in the shell's group.
std::string command_of(const ProcessFacts& process, pid_t pid) {
    if (process.group == pid || process.group <= 0)
        return process.program;
    const std::optional<ProcessFacts> first = process_facts(process.group);
    return first && !is_shell(first->program) ? first->program : process.program;
}

} // namespace

bool is_shell(std::string_view program) {
    return std::find(std::begin(shells), std::end(shells), program) != std::end(shells);
}

PaneName pane_in(std::string_view environ_bytes) {
    // TMUX is "socket,pid of the server,session"; the socket's path may have commas.
    const std::string_view pane = variable_in(environ_bytes, "TMUX_PANE").value_or("");
    const std::string_view tmux = variable_in(environ_bytes, "TMUX").value_or("");
    const std::size_t session = tmux.rfind(',');
    const std::size_t server =
        session == std::string_view::npos || session == 0 ? session : tmux.rfind(',', session - 1);
    const bool is_pane = pane.size() > 1 && pane.size() < 16 && pane[0] == '%' &&
                         pane.find_first_not_of("0123456789", 1) == std::string_view::npos;
    if (!is_pane || server == std::string_view::npos || !tmux.starts_with('/'))
        return {};
    return {pane, tmux.substr(0, server)};
}

ClientPlace place_of_client(pid_t pid) {
    const std::string environment = pid > 0 ? environment_of(pid) : std::string();
    const PaneName name = pane_in(environment);
    return {.pane = std::string(name.pane),
            .socket = std::string(name.socket),
            .login = parse_login(environment)};
}

ClientFacts facts_of_client(pid_t pid) {
    ClientFacts facts;
    facts.pid = pid;
    const std::optional<ProcessFacts> process = pid > 0 ? process_facts(pid) : std::nullopt;
    if (!process)
        return facts;
    facts.program = escaped(process->program);
    facts.command = escaped(command_of(*process, pid));
    facts.directory = link_at(fmt::format("/proc/{}/cwd", pid));
    const std::string environment = environment_of(pid);
    const PaneName name = pane_in(environment);
    facts.pane = name.pane;
    facts.tmux = name.socket;
    return facts;
}

} // namespace livesock
