#include "tools/signing_commands.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/answers.hpp"
#include "tools/ask.hpp"
#include "tools/exit_status.hpp"
#include "tools/print.hpp"
#include "tools/signing_text.hpp"
#include "tools/supervisor_commands.hpp"

#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

namespace livesock {
namespace {

ControlRequest tokens_request(const char* action, const std::string& name,
                              const std::string& listener) {
    return {.command = "tokens",
            .members = {{"action", std::string(action)}, {"name", name}, {"listener", listener}}};
}

/// livesock-sign lies beside this program where it is installed.
std::string sign_script() {
    std::error_code problem;
    const auto beside =
        std::filesystem::read_symlink("/proc/self/exe", problem).parent_path() / "livesock-sign";
    return std::filesystem::exists(beside, problem) ? beside.string()
                                                    : "/usr/local/bin/livesock-sign";
}

const SigningReport* find_listener(const StatusReport& report, const std::string& name) {
    if (name.empty())
        return report.signing.size() == 1 ? &report.signing.front() : nullptr;
    for (const SigningReport& listener : report.signing)
        if (listener.name == name || listener.listen == name)
            return &listener;
    return nullptr;
}

Error no_listener(const StatusReport& report, const std::string& name) {
    if (report.signing.empty())
        return Error{"there is no signing listener: add [[signing]] to livesock.toml, as "
                     "livesock-signing(7) says, and run 'livesock reload'"};
    std::string names;
    for (const SigningReport& listener : report.signing)
        names += fmt::format("{}'{}'", names.empty() ? "" : ", ", escaped(listener.name));
    return Error{name.empty() ? fmt::format("say which listener: {}", names)
                              : fmt::format("there is no signing listener '{}', only {}",
                                            escaped(name), names)};
}

/// What a container must not get with the directory of the socket; empty if there is nothing.
std::string problem_of(const SigningReport& listener, const std::string& home) {
    const std::filesystem::path directory = mounted_directory(listener);
    if (directory.empty())
        return {};
    std::error_code problem;
    if (directory == "/" || std::filesystem::equivalent(directory, home, problem))
        return "is no directory of its own";
    using std::filesystem::perms;
    const perms mode = std::filesystem::status(directory, problem).permissions();
    if (!problem && (mode & (perms::group_write | perms::others_write)) != perms::none)
        return "is shared with other users";
    const std::string socket = listener.listen.substr(listener.listen.rfind('/') + 1);
    std::filesystem::directory_iterator entry(directory, problem);
    for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem))
        if (entry->path().filename() != socket)
            return fmt::format("also has '{}'", escaped(entry->path().filename().string()));
    return problem ? fmt::format("cannot be read ({})", problem.message()) : std::string();
}

Error not_its_own(const SigningReport& listener, const std::string& problem) {
    return Error{fmt::format("'{}' would be mounted into the container, and {}: have the listener "
                             "listen in a directory that has nothing else in it, such as "
                             "\"unix:~/.local/share/livesock-sign/sign.sock\"",
                             escaped(mounted_directory(listener)), problem)};
}

} // namespace

int add_token_command(const std::string& name, const std::string& listener) {
    const Result<ControlAnswer> answer = ask_running(tokens_request("add", name, listener));
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    fmt::print("{}\n", escaped(text_member(*answer, "token").value_or("")));
    // Standard output has the token alone, so that it can go to a file.
    std::fflush(stdout);
    fmt::print(stderr,
               "This token is shown now, and never again. 'livesock signing token {} "
               "--revoke' ends it.\n",
               escaped(name));
    return exit_done;
}

int revoke_token_command(const std::string& name, const std::string& listener) {
    const Result<ControlAnswer> answer = ask_running(tokens_request("revoke", name, listener));
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    fmt::print("The token '{}' lets nobody in any more.\n", escaped(name));
    return exit_done;
}

int list_tokens_command(const std::string& listener) {
    const Result<ControlAnswer> answer = ask_running(tokens_request("list", {}, listener));
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    const std::vector<TokenReport> tokens = read_tokens(*answer);
    const std::string file = text_member(*answer, "file").value_or("");
    if (tokens.empty())
        fmt::print("There is no token in '{}'.\n", escaped(file));
    Table table({Align::left, Align::left});
    for (const TokenReport& token : tokens)
        table.add({{escaped(token.name)}, {escaped(token.date)}});
    fmt::print("{}", table.text(view_of_stdout()));
    return exit_done;
}

int expose_command(const std::string& name, bool devcontainer) {
    const Result<ControlAnswer> answer = ask_running({.command = "status"});
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return refused(*answer);
    const StatusReport report = read_status(*answer);
    const SigningReport* const listener = find_listener(report, name);
    if (listener == nullptr)
        return complain(no_listener(report, name), exit_no);
    if (listener->problem)
        return complain(Error{fmt::format("the signing listener '{}' does not listen: {}",
                                          escaped(listener->name), printable(*listener->problem))},
                        exit_no);
    if (!listener->public_key)
        return complain(Error{"no agent with a key that may sign is live now: 'livesock status' "
                              "says more"},
                        exit_no);
    const ExposingHost host{.home = directory_inputs().home, .script = sign_script()};
    if (const std::string problem = problem_of(*listener, host.home); !problem.empty())
        return complain(not_its_own(*listener, problem), exit_no);
    fmt::print("{}",
               devcontainer ? expose_devcontainer(*listener, host) : expose_text(*listener, host));
    return exit_done;
}

} // namespace livesock
