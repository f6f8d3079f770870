#include "tools/doctor_collect.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/file.hpp"
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/launch.hpp"
#include "tools/locate.hpp"
#include "tools/own_agent.hpp"
#include "tools/phrases.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

constexpr std::string_view shim_name = "liblivesock.so";

/// The pid that the supervisor of `directory` has noted; 0 if there is none.
std::int64_t noted_pid(const std::string& directory) {
    const std::string text = read_beginning(directory + '/' + lock_name, 32).value_or("");
    std::int64_t pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    return pid;
}

/// What is known of the supervisor of `directory`, which does not answer.
SupervisorState silent_supervisor(const std::string& directory) {
    const std::int64_t pid = noted_pid(directory);
    const auto process = process_facts(static_cast<pid_t>(pid));
    return {.is_there = true, .is_stopped = process && process->is_stopped, .pid = pid};
}

/// The supervisor asks every agent; one that takes its time is waited for until it has answered, or
/// is called late.
Result<ControlAnswer> ask_status(ControlClient& client) {
    // More than probe.timeout is, unless somebody sets it.
    constexpr std::chrono::seconds patience{3};
    const TimePoint until = Clock::now() + patience;
    for (;;) {
        Result<ControlAnswer> answer = client.ask({.command = "status"});
        if (!answer || !answer->ok || Clock::now() >= until)
            return answer;
        const std::vector<AgentReport> agents = read_status(*answer).agents;
        if (std::none_of(agents.begin(), agents.end(), [](const AgentReport& agent) {
                return agent.state == "live" && is_overdue(agent);
            }))
            return answer;
    }
}

void ask_supervisor(ControlClient& client, DoctorFacts& facts) {
    const Result<ControlAnswer> answer = ask_status(client);
    if (!answer || !answer->ok) {
        facts.supervisor = silent_supervisor(client.directory());
        return;
    }
    facts.status = read_status(*answer);
    facts.supervisor.answers = true;
    facts.supervisor.pid = facts.status.pid;
    facts.supervisor.version = text_member(*answer, "version").value_or("");
    const std::string process = fmt::format("/proc/{}", facts.status.pid);
    facts.supervisor.is_replaced = link_at(process + "/exe").ends_with(" (deleted)");
    facts.supervisor.is_removed =
        facts.supervisor.is_replaced && ::access(locate().supervisor.c_str(), X_OK) != 0;
    const std::string group = read_beginning(process + "/cgroup", 4096).value_or("");
    facts.supervisor.is_user_service =
        group.find("/user@") != std::string::npos && group.find("livesock") != std::string::npos;
}

void find_supervisor_and_directory(DoctorFacts& facts) {
    Result<ControlClient> client = find_supervisor();
    facts.directory = collect_directory(client ? client->directory() : std::string());
    if (client) {
        ask_supervisor(*client, facts);
    } else if (client.error().code == ETIMEDOUT) {
        facts.supervisor = silent_supervisor(facts.directory.path);
    }
}

/// What ld.so(8) looks for itself is taken to be there.
bool can_be_loaded(const std::string& path) {
    return path.find('/') == std::string::npos || ::access(path.c_str(), R_OK) == 0;
}

} // namespace

PreloadState collect_preload() {
    PreloadState preload{.value = environment("LD_PRELOAD"),
                         .installed = locate().shim,
                         .asan_options = environment("ASAN_OPTIONS")};
    for (std::size_t start = 0; start < preload.value.size();) {
        const std::size_t end =
            std::min(preload.value.find_first_of(": ", start), preload.value.size());
        if (const std::string path = preload.value.substr(start, end - start); !path.empty())
            preload.entries.push_back({.path = path,
                                       .exists = can_be_loaded(path),
                                       .is_shim = path.ends_with(shim_name)});
        start = end + 1;
    }
    preload.is_loaded = is_shim_loaded();
    return preload;
}

DoctorFacts collect_facts() {
    DoctorFacts facts;
    facts.version = LIVESOCK_VERSION;
    facts.login = login_command();
    facts.user = user_name();
    facts.shell = shell_called(environment("SHELL"));
    if (const std::string editor = environment("EDITOR"); !editor.empty())
        facts.editor = editor;
    facts.livesock_dir = environment(directory_variable);
    const DirectoryInputs inputs = directory_inputs();
    facts.host = inputs.nodename;
    facts.home = inputs.home;
    find_supervisor_and_directory(facts);
    facts.config = collect_config(facts.status.config.value_or(""));
    facts.socket = collect_socket(environment("SSH_AUTH_SOCK"), facts.directory.path);
    facts.tmux = collect_tmux(facts.directory.path);
    facts.preload = collect_preload();
    facts.programs = collect_programs();
    facts.login_state = collect_login(facts.home);
    facts.system = collect_system(facts.user, facts.home);
    return facts;
}

} // namespace livesock
