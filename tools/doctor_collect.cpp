#include "tools/doctor_collect.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/file.hpp"
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/launch.hpp"
#include "tools/locate.hpp"
#include "tools/own_socket.hpp"
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

/// What is at `path`; nothing if nothing is.
std::optional<mode_t> mode_at(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? std::optional(status.st_mode) : std::nullopt;
}

std::optional<uid_t> owner_of(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? std::optional(status.st_uid) : std::nullopt;
}

/// The user's home, where `home` is another user's; empty otherwise.
std::string right_home(const std::string& home) {
    const std::optional<uid_t> owner = owner_of(home);
    const std::string own = passwd_home();
    return owner && *owner != ::geteuid() && home != own ? own : std::string();
}

/// The pid that the supervisor of `directory` has noted; 0 if there is none.
std::int64_t noted_pid(const std::string& directory) {
    const std::string text = read_beginning(directory + '/' + lock_name, 32).value_or("");
    std::int64_t pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    return pid;
}

DirectoryState directory_at(const std::string& path) {
    DirectoryState state{.path = path};
    struct stat status {};
    state.exists = ::lstat(path.c_str(), &status) == 0;
    const std::optional<mode_t> socket = mode_at(path + '/' + agent_socket_name);
    state.has_agent_socket = socket && S_ISSOCK(*socket);
    state.is_socket_blocked = socket && !S_ISSOCK(*socket);
    if (const Result<UniqueFd> opened = open_private_directory(path);
        !opened && opened.error().code != ENOENT) {
        state.problem = opened.error().message;
        state.is_mode_the_problem = state.exists && S_ISDIR(status.st_mode) &&
                                    status.st_uid == ::geteuid() && (status.st_mode & 0777) != 0700;
    }
    return state;
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
        facts.supervisor.problem = answer ? answer->error : answer.error().message;
        facts.supervisor.is_there = true;
        facts.supervisor.pid = noted_pid(client.directory());
        const auto process = process_facts(static_cast<pid_t>(facts.supervisor.pid));
        facts.supervisor.is_stopped = process && process->is_stopped;
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

/// Whether the directory at `path` holds something, and nothing of a supervisor's.
bool is_others(const std::string& path) {
    std::error_code problem;
    return mode_at(path + '/' + lock_name) == std::nullopt &&
           std::filesystem::is_directory(path, problem) &&
           !std::filesystem::is_empty(path, problem) && !problem;
}

/// Whether something could be made at `path`, which is not there.
bool can_be_made(std::filesystem::path path) {
    std::error_code ignored;
    while (path.has_relative_path() && !std::filesystem::exists(path, ignored))
        path = path.parent_path();
    return ::access(path.c_str(), W_OK | X_OK) == 0;
}

/// What is wrong with the directory that LIVESOCK_DIR names, so that it is to name none, or
/// another.
std::string problem_of_named(const DirectoryInputs& inputs, const DirectoryState& directory) {
    const Result<std::vector<std::string>> choices = directory_choices(inputs);
    if (!choices)
        return choices.error().message;
    if (choices->empty() || choices->front() != directory.preferred)
        return fmt::format("{} is '{}': no socket fits into a path so long", directory_variable,
                           escaped(directory.preferred));
    if (directory.exists && owner_of(directory.preferred) != ::geteuid())
        return fmt::format("{} is '{}', which is another user's", directory_variable,
                           escaped(directory.preferred));
    if (directory.exists ? is_others(directory.preferred) : !can_be_made(directory.preferred))
        return fmt::format("{} is '{}', which {}", directory_variable, escaped(directory.preferred),
                           directory.exists ? "holds something else" : "cannot be made");
    return {};
}

void find_directory(DoctorFacts& facts) {
    const DirectoryInputs inputs = directory_inputs();
    const std::string preferred = preferred_directory(inputs);
    Result<ControlClient> client = find_supervisor();
    facts.directory = directory_at(client ? client->directory() : preferred);
    facts.directory.preferred = preferred;
    if (!client && !inputs.livesock_dir.empty()) {
        const std::string problem = problem_of_named(inputs, facts.directory);
        facts.directory.is_foreign = !problem.empty();
        if (!problem.empty())
            facts.directory.problem = problem;
    }
    if (!client && inputs.livesock_dir.empty())
        facts.directory.right_home = right_home(inputs.home);
    facts.host = inputs.nodename;
    facts.home = inputs.home;
    if (client) {
        ask_supervisor(*client, facts);
    } else {
        facts.supervisor.problem = client.error().message;
        facts.supervisor.is_there = client.error().code == ETIMEDOUT;
        facts.supervisor.pid = facts.supervisor.is_there ? noted_pid(preferred) : 0;
    }
}

/// What ld.so(8) looks for itself is taken to be there.
bool is_there(const std::string& path) {
    return path.find('/') == std::string::npos || ::access(path.c_str(), R_OK) == 0;
}

} // namespace

SocketFacts collect_socket(const std::string& path, const std::string& directory) {
    if (path.empty())
        return {};
    std::error_code problem;
    const std::filesystem::path target = std::filesystem::canonical(path, problem);
    return {.path = path,
            .state = ask_at(path),
            .is_ours = !directory.empty() && leads_back(path, directory),
            .target = problem ? path : target.string()};
}

PreloadState collect_preload() {
    PreloadState preload{.value = environment("LD_PRELOAD"),
                         .installed = locate().shim,
                         .asan_options = environment("ASAN_OPTIONS")};
    for (std::size_t start = 0; start < preload.value.size();) {
        const std::size_t end =
            std::min(preload.value.find_first_of(": ", start), preload.value.size());
        if (const std::string path = preload.value.substr(start, end - start); !path.empty())
            preload.entries.push_back(
                {.path = path, .exists = is_there(path), .is_shim = path.ends_with(shim_name)});
        start = end + 1;
    }
    constexpr std::size_t most_maps = 1024 * 1024;
    preload.is_loaded = read_beginning(fmt::format("/proc/{}/maps", ::getpid()), most_maps)
                            .value_or("")
                            .find(shim_name) != std::string::npos;
    return preload;
}

DoctorFacts collect_facts() {
    DoctorFacts facts;
    facts.version = LIVESOCK_VERSION;
    facts.login = login_command();
    facts.user = user_name();
    facts.shell = shell_called(environment("SHELL"));
    facts.livesock_dir = environment(directory_variable);
    find_directory(facts);
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
