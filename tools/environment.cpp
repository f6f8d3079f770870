#include "tools/environment.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/agent_commands.hpp"
#include "tools/exit_status.hpp"
#include "tools/launch.hpp"
#include "tools/locate.hpp"
#include "tools/own_agent.hpp"
#include "tools/supervisor_commands.hpp"

#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

Variables agent_variables(const std::string& directory) {
    return {{"SSH_AUTH_SOCK", directory + '/' + agent_socket_name},
            {directory_variable, directory}};
}

/// What preloads the shim; the error says why it is left out.
Result<Variables> shim_variables() {
    const std::string shim = locate().shim;
    if (shim.empty())
        return Error{"liblivesock.so is not where it was installed: programs that hold the path of "
                     "an old login are not helped"};
    if (!can_be_preloaded(shim))
        return Error{fmt::format("'{}' cannot be preloaded, as its path has a blank or a colon: "
                                 "install livesock elsewhere",
                                 escaped(shim))};
    return Variables{{"LD_PRELOAD", composed_preload(environment("LD_PRELOAD"), shim)},
                     {"ASAN_OPTIONS", composed_asan_options(environment("ASAN_OPTIONS"))}};
}

void set(const Variables& variables) {
    for (const auto& [name, value] : variables)
        ::setenv(name.c_str(), value.c_str(), /* overwrite */ 1);
}

int execute(const std::vector<std::string>& command) {
    std::vector<char*> words;
    words.reserve(command.size() + 1);
    for (const std::string& word : command)
        words.push_back(const_cast<char*>(word.c_str())); // execvp(3) does not write to it
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    const int code = errno;
    return complain(system_error(fmt::format("cannot execute '{}'", escaped(command[0])), code),
                    code == ENOENT ? exit_not_found : exit_not_executable);
}

} // namespace

int run_command(const std::vector<std::string>& command) {
    if (command.empty())
        return complain(Error{"name the command: 'livesock run COMMAND'"}, exit_unusable);
    Result<ControlClient> client = ensure_supervisor();
    if (!client)
        return complain(client.error(), exit_unusable);
    register_present_agent(*client);
    set(agent_variables(client->directory()));
    if (const Result<Variables> shim = shim_variables(); shim)
        set(*shim);
    else
        complain(Error{shim.error().message + "; going on without it"}, 0);
    return execute(command);
}

int env_command(const EnvWords& words) {
    const bool seen = ::isatty(STDOUT_FILENO) != 0;
    const auto fail = [seen](const Error& error) {
        return seen ? complain(error, exit_unusable) : exit_unusable;
    };
    if (words.tmux && environment("TMUX").empty())
        return fail(Error{"this is not run by tmux: it needs 'run-shell', or a pane"});
    if (words.keep_own && is_own_agent(environment("SSH_AUTH_SOCK")))
        return exit_done;
    Result<ControlClient> client = ensure_supervisor();
    if (!client)
        return fail(client.error());
    register_present_agent(*client);
    Variables variables = agent_variables(client->directory());
    const Result<Variables> shim = words.preload ? shim_variables() : Variables{};
    if (shim)
        variables.insert(variables.end(), shim->begin(), shim->end());
    else if (seen)
        complain(shim.error(), 0);
    if (words.tmux)
        return execute(tmux_command(variables));
    const Shell syntax = words.shell ? *words.shell : shell_called(environment("SHELL"));
    fmt::print("{}", export_commands(syntax, variables));
    return exit_done;
}

} // namespace livesock
