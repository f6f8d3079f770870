#include "tools/agent_commands.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/file.hpp"
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/answers.hpp"
#include "tools/ask.hpp"
#include "tools/exit_status.hpp"
#include "tools/launch.hpp"
#include "tools/own_agent.hpp"
#include "tools/own_socket.hpp"
#include "tools/report_text.hpp"
#include "tools/supervisor_commands.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

/// More of a process's environment is not read.
constexpr std::size_t most_environment = 4 * 1024 * 1024;

ThisShell this_shell(const StatusReport& report) {
    const std::string directory = std::filesystem::path(report.agent_socket).parent_path();
    const SocketFacts socket = collect_socket(environment("SSH_AUTH_SOCK"), directory);
    const ShellUse use = use_of(socket, report.live.value_or(""), is_shim_armed());
    return {.now = std::time(nullptr),
            .uses_agent = use == ShellUse::livesock,
            .own_agent = use == ShellUse::own ? socket.path : std::string(),
            .uses_login = use == ShellUse::login};
}

std::string absolute_path(const std::string& path) {
    std::error_code problem; // as when the working directory is gone: the supervisor will refuse
    const auto absolute = std::filesystem::absolute(path, problem).lexically_normal();
    return problem ? path : absolute.string();
}

ControlRequest register_request(const std::string& path) {
    return {.command = "register", .members = {{"path", absolute_path(path)}}};
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
    const std::string text =
        json ? pretty(*answer) : status_text(report, view_of_stdout(), this_shell(report));
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
        fmt::print("{}", identities_text(identities));
    if (!json && number_member(*answer, "unanswered_seconds"))
        fmt::print(stderr, "livesock: the agent has not answered yet: this is what it has said "
                           "before\n");
    return identities.empty() ? exit_no : exit_done;
}

Result<std::string> agent_socket_of(pid_t pid) {
    const Result<std::string> variables =
        read_beginning(fmt::format("/proc/{}/environ", pid), most_environment);
    if (!variables && variables.error().code == ENOENT)
        return Error{fmt::format("there is no process {}", pid), ENOENT};
    if (!variables)
        return variables.error();
    if (const auto path = variable_in(*variables, "SSH_AUTH_SOCK"))
        return std::string(*path);
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
    say(fmt::format("Registered '{}', which is {}.\n",
                    escaped(text_member(*answer, "path").value_or(wanted)),
                    escaped(text_member(*answer, "state").value_or("known"))));
    return exit_done;
}

int use_command(const std::string& agent) {
    const Result<ControlAnswer> answer =
        ask_running({.command = "use", .members = {{"agent", agent}}});
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    say(choice_text(agent, read_choice(*answer), view_of_stdout()));
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
        say("No running process refers to the path of a forwarded agent.\n");
    say(healing_text(healing, view_of_stdout()));
    const bool is_refused = std::any_of(healing.begin(), healing.end(),
                                        [](const auto& path) { return path.result == "refused"; });
    return is_refused ? exit_no : exit_done;
}

namespace {

int gave_up(Duration limit) {
    return complain(Error{limit == Duration::zero() ? "no agent is live"
                                                    : fmt::format("no agent became live within {}",
                                                                  format_duration(limit))},
                    exit_no);
}

/// For who looks on: says what is waited for, whenever that changes.
int wait_and_tell(ControlClient& client, std::optional<Duration> limit) {
    constexpr std::chrono::milliseconds patience{1'000};
    const TimePoint began = Clock::now();
    std::string told;
    std::optional<std::int64_t> seen;
    for (;;) {
        const Duration left = limit ? began + *limit - Clock::now() : Duration(patience);
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(
            std::clamp<Duration>(left, Duration::zero(), patience));
        ControlRequest request{.command = "watch",
                               .members = {{"timeout_ms", std::int64_t{wait.count()}}}};
        if (seen)
            request.members.emplace_back("seen", *seen);
        const Result<ControlAnswer> answer = client.ask(request, patience + control_answer_timeout);
        if (!answer)
            return complain(answer.error(), exit_unusable);
        if (!answer->ok)
            return refused(*answer);
        const WatchReport report = read_watch(*answer);
        seen = report.changes;
        const View view = view_of(STDERR_FILENO);
        if (const std::string text = waiting_text(report.status, view); text != told) {
            fmt::print(stderr, "{}", text);
            told = text;
        }
        if (report.status.live)
            return exit_done;
        if (limit && Clock::now() >= began + *limit)
            return gave_up(*limit);
    }
}

} // namespace

int wait_command(const std::optional<std::string>& limit) {
    const auto parsed = limit ? parse_limit(*limit) : std::nullopt;
    if (limit && !parsed)
        return complain(Error{fmt::format("'{}' is no duration up to {}h: write for example 30s, "
                                          "500ms or 5m",
                                          escaped(*limit), longest_duration.count())},
                        exit_unusable);
    Result<ControlClient> client = find_supervisor();
    if (!client)
        return complain(client.error(), exit_unusable);
    // A supervisor that hangs must not look like one that has no agent yet.
    if (const Result<ControlAnswer> alive = client->ask({.command = "ping"}); !alive)
        return complain(alive.error(), exit_unusable);
    if (::isatty(STDERR_FILENO) != 0 && !is_quiet())
        return wait_and_tell(*client, parsed);
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
        return gave_up(*parsed);
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
