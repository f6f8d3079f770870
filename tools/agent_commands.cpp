#include "tools/agent_commands.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/answers.hpp"
#include "tools/exit_status.hpp"
#include "tools/launch.hpp"
#include "tools/report_text.hpp"
#include "tools/supervisor_commands.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

/// Asks the running supervisor; what the supervisor refuses is an answer.
Result<ControlAnswer> ask_running(const ControlRequest& request) {
    Result<ControlClient> client = find_supervisor();
    return client ? client->ask(request) : client.error();
}

int refused(const ControlAnswer& answer) {
    return complain(Error{escaped(answer.error)}, exit_no);
}

bool same_file(const std::string& one, const std::string& other) {
    std::error_code ignored;
    return std::filesystem::equivalent(one, other, ignored);
}

/// Whether what is started from this shell reaches the agent: by the stable path, by a
/// stand-in, or by the shim.
bool uses_agent(const std::string& agent_socket) {
    return environment("SSH_AUTH_SOCK") == agent_socket ||
           same_file(environment("SSH_AUTH_SOCK"), agent_socket) ||
           (!environment(directory_variable).empty() &&
            environment("LD_PRELOAD").find("liblivesock.so") != std::string::npos);
}

bool leads_back(const std::string& path, const std::string& directory) {
    const std::string stable = directory + '/' + agent_socket_name;
    return path == stable || path == directory + '/' + live_link_name || same_file(path, stable);
}

std::string absolute_path(const std::string& path) {
    std::error_code problem; // as when the working directory is gone: the supervisor will refuse
    const auto absolute = std::filesystem::absolute(path, problem).lexically_normal();
    return problem ? path : absolute.string();
}

ControlRequest register_request(const std::string& path) {
    return {.command = "register", .members = {{"path", absolute_path(path)}}};
}

/// The label that an answer carries, or the path if it has none.
std::string chosen_text(const ControlAnswer& answer, const char* path_name) {
    const std::string path = text_member(answer, path_name).value_or("");
    return escaped(text_member(answer, "label").value_or(path));
}

Result<std::string> contents(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char chunk[16 * 1024];
    ssize_t count = file ? 0 : -1;
    while (file && (count = ::read(file.get(), chunk, sizeof chunk)) > 0)
        text.append(chunk, static_cast<std::size_t>(count));
    if (count < 0)
        return system_error(fmt::format("cannot read '{}'", path), errno);
    return text;
}

std::optional<std::chrono::milliseconds> parse_limit(const std::string& text) {
    const bool bare = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    return parse_duration(bare ? text + 's' : text);
}

} // namespace

int status_command(bool json) {
    const Result<ControlAnswer> answer = ask_running({.command = "status"});
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    const StatusReport report = read_status(*answer);
    const Surroundings here{std::time(nullptr), uses_agent(report.agent_socket)};
    const std::string text = json ? pretty(*answer) : status_text(report, view_of_stdout(), here);
    fmt::print("{}", text);
    return report.live ? exit_done : exit_no;
}

int list_command(bool json) {
    const Result<ControlAnswer> answer = ask_running({.command = "list"});
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    const std::vector<IdentityReport> identities = read_identities(*answer);
    if (json)
        fmt::print("{}", pretty(*answer));
    else if (!text_member(*answer, "agent"))
        return complain(Error{"no agent is live: 'livesock status' says more"}, exit_no);
    else if (identities.empty())
        fmt::print("The agent has no identities.\n");
    else
        fmt::print("{}", identities_text(identities, view_of_stdout()));
    return identities.empty() ? exit_no : exit_done;
}

Result<std::string> agent_socket_of(pid_t pid) {
    const Result<std::string> read = contents(fmt::format("/proc/{}/environ", pid));
    if (!read && read.error().code == ENOENT)
        return Error{fmt::format("there is no process {}", pid), ENOENT};
    if (!read)
        return read.error();
    const std::string_view block = *read;
    constexpr std::string_view wanted = "SSH_AUTH_SOCK=";
    for (std::size_t start = 0; start < block.size();) {
        const std::size_t end = std::min(block.find('\0', start), block.size());
        const std::string_view entry = block.substr(start, end - start);
        if (entry.starts_with(wanted))
            return std::string(entry.substr(wanted.size()));
        start = end + 1;
    }
    return Error{fmt::format("process {} has no SSH_AUTH_SOCK in its environment", pid)};
}

int register_command(const std::string& path, std::optional<pid_t> pid) {
    std::string wanted = path.empty() ? environment("SSH_AUTH_SOCK") : path;
    if (pid) {
        Result<std::string> found = agent_socket_of(*pid);
        if (!found)
            return complain(found.error(), exit_no);
        wanted = *std::move(found);
    }
    if (wanted.empty())
        return complain(Error{"SSH_AUTH_SOCK is not set: name a socket to register"},
                        exit_unusable);
    const Result<ControlAnswer> answer = ask_running(register_request(wanted));
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    fmt::print("Registered '{}', which is {}.\n",
               escaped(text_member(*answer, "path").value_or(wanted)),
               escaped(text_member(*answer, "state").value_or("known")));
    return exit_done;
}

int use_command(const std::string& agent) {
    const Result<ControlAnswer> answer =
        ask_running({.command = "use", .members = {{"agent", agent}}});
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    if (!text_member(*answer, "chosen"))
        fmt::print("No agent is live now; 'livesock status' says more.\n");
    else
        fmt::print("{} '{}'.\n", agent == "auto" ? "Choosing by itself again: now" : "Now using",
                   chosen_text(*answer, "chosen"));
    return exit_done;
}

int heal_command(const std::vector<std::string>& paths) {
    ControlRequest request{.command = "heal"};
    if (!paths.empty()) {
        std::vector<std::string> absolute;
        for (const std::string& path : paths)
            absolute.push_back(absolute_path(path));
        request.members.emplace_back("paths", std::move(absolute));
    }
    const Result<ControlAnswer> answer = ask_running(request);
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    const std::vector<HealReport> healing = read_healing(*answer);
    if (healing.empty())
        fmt::print("No running process refers to the path of a forwarded agent.\n");
    fmt::print("{}", healing_text(healing, view_of_stdout()));
    const bool is_refused = std::any_of(healing.begin(), healing.end(),
                                        [](const auto& path) { return path.result == "refused"; });
    return is_refused ? exit_no : exit_done;
}

int wait_command(const std::string& limit) {
    const auto parsed = parse_limit(limit);
    if (!limit.empty() && !parsed)
        return complain(Error{fmt::format("'{}' is no duration: write for example 30s, 500ms or 5m",
                                          escaped(limit))},
                        exit_unusable);
    Result<ControlClient> client = find_supervisor();
    if (!client)
        return complain(client.error(), exit_unusable);
    // A supervisor that hangs must not look like one that has no agent yet.
    if (const Result<ControlAnswer> alive = client->ask({.command = "ping"}); !alive)
        return complain(alive.error(), exit_unusable);
    ControlRequest request{.command = "wait", .members = {{"timeout_ms", nullptr}}};
    std::optional<Duration> patience;
    if (parsed) {
        request.members[0].second = std::int64_t{parsed->count()};
        patience = *parsed + control_answer_timeout;
    }
    const Result<ControlAnswer> answer = client->ask(request, patience);
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok && answer->code == "timeout" && parsed)
        return complain(
            Error{fmt::format("no agent became live within {}", format_duration(*parsed))},
            exit_no);
    return answer->ok ? exit_done : refused(*answer);
}

void register_present_agent(ControlClient& client) {
    const std::string path = environment("SSH_AUTH_SOCK");
    struct stat status {};
    if (path.empty() || ::stat(path.c_str(), &status) != 0 || leads_back(path, client.directory()))
        return;
    static_cast<void>(client.ask(register_request(path)));
}

} // namespace livesock
