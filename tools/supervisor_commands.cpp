#include "tools/supervisor_commands.hpp"

#include "supervisor/base/escape.hpp"
#include "tools/answers.hpp"
#include "tools/exit_status.hpp"
#include "tools/launch.hpp"
#include "tools/print.hpp"

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// How long the supervisor may take to end once it has said that it will.
constexpr auto stop_limit = 10s;

/// How long it may take to start its successor: longer than it gives it itself.
constexpr auto restart_limit = 12s;

/// How long it is waited for to have left, when its successor serves.
constexpr auto leave_limit = 1s;

/// Ends the supervisor of `client`; returns its pid, 0 if it did not live to say it: somebody else
/// may be stopping it, and that is as good.
Result<std::int64_t> stop(ControlClient& client) {
    const Result<ControlAnswer> answer = client.ask({.command = "stop"});
    if (!answer && answer.error().code != ECONNRESET)
        return answer.error();
    if (answer && !answer->ok)
        return Error{fmt::format("the supervisor in '{}' does not stop: {}", client.directory(),
                                 answer->error)};
    if (const Result<void> ended = client.wait_for_end(stop_limit); !ended)
        return ended.error();
    return answer ? number_member(*answer, "pid").value_or(0) : 0;
}

} // namespace

int complain(const Error& error, int status) {
    fmt::print(stderr, "livesock: {}\n", error.message);
    return status;
}

int start_command() {
    Result<ControlClient> client = ensure_supervisor();
    if (!client)
        return complain(client.error(), exit_unusable);
    const Result<ControlAnswer> answer = client->ask({.command = "ping"});
    if (!answer)
        return complain(answer.error(), exit_unusable);
    say(fmt::format("The supervisor is running, pid {}, in '{}'.\n",
                    number_member(*answer, "pid").value_or(0), escaped(client->directory())));
    return exit_done;
}

int stop_command() {
    Result<ControlClient> client = find_supervisor();
    if (!client && client.error().code == ENOENT) {
        say("No supervisor is running.\n");
        return exit_done;
    }
    if (!client)
        return complain(client.error(), exit_unusable);
    const Result<std::int64_t> pid = stop(*client);
    if (!pid)
        return complain(pid.error(), exit_no);
    say(fmt::format("The supervisor{} has ended.\n",
                    *pid > 0 ? fmt::format(", pid {},", *pid) : ""));
    return exit_done;
}

int restart_command() {
    Result<ControlClient> client = find_supervisor();
    if (!client && client.error().code == ENOENT)
        return start_command();
    if (!client)
        return complain(client.error(), exit_unusable);
    const Result<ControlAnswer> answer = client->ask({.command = "restart"}, restart_limit);
    if (!answer && answer.error().code != ECONNRESET)
        return complain(answer.error(), exit_unusable);
    if (answer && answer->code == "unknown_command") {
        say("The supervisor is of an older version, which cannot hand over: it is stopped "
            "and started.\n");
        const int stopped = stop_command();
        return stopped == exit_done ? start_command() : stopped;
    }
    if (answer && !answer->ok)
        return complain(Error{answer->error + "; the supervisor goes on as before"}, exit_no);
    // It may still have a request to answer; what its successor serves is not held up by that.
    [[maybe_unused]] const Result<void> ended = client->wait_for_end(leave_limit);
    return start_command();
}

int reload_command() {
    Result<ControlClient> client = find_supervisor();
    if (!client)
        return complain(client.error(), exit_unusable);
    const Result<ControlAnswer> answer = client->ask({.command = "reload"});
    if (!answer)
        return complain(answer.error(), exit_unusable);
    if (!answer->ok)
        return complain(Error{answer->error + "; the configuration is as it was"}, exit_no);
    say("The configuration has been read again.\n");
    return exit_done;
}

} // namespace livesock
