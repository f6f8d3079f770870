#include "tools/launch.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/exit_status.hpp"
#include "tools/locate.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern "C" { // which the header forgets in glibc 2.36
#include <sys/pidfd.h>
}

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// How long livesockd may take until it serves.
constexpr auto start_limit = 8s;

/// How long it is tried again while others start, stop or restart the supervisor.
constexpr auto race_limit = 4s;

/// How much of what livesockd says is shown.
constexpr std::size_t longest_complaint = 8 * 1024;

/// What has to be true before anybody's SSH_AUTH_SOCK is set to it. Error::code is EAGAIN where it
/// cannot be seen: the supervisor may just be ending, or making again what somebody has deleted.
Result<void> check_agent_socket(const std::string& directory) {
    const std::string path = directory + '/' + agent_socket_name;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0)
        return Error{fmt::format("the supervisor runs, but its agent socket '{}' cannot be seen "
                                 "({}): try 'livesock restart'",
                                 path, std::strerror(errno)),
                     EAGAIN};
    if (!S_ISSOCK(status.st_mode) || status.st_uid != ::geteuid())
        return Error{fmt::format("'{}' is not a socket of yours: remove it, then run "
                                 "'livesock restart'",
                                 path)};
    return {};
}

/// A supervisor that answers and can be used.
Result<ControlClient> find_answering() {
    Result<ControlClient> found = find_supervisor();
    if (!found)
        return found;
    const Result<ControlAnswer> answer = found->ask({.command = "ping"});
    if (!answer)
        return answer.error();
    if (!answer->ok)
        return Error{fmt::format("the supervisor in '{}' refuses to talk: {}", found->directory(),
                                 answer->error)};
    if (const Result<void> usable = check_agent_socket(found->directory()); !usable)
        return usable.error();
    return found;
}

/// In the child. What it writes goes to `output`, a file: a pipe would stay open for as long as the
/// daemon lives, and `eval "$(livesock env)"` would wait for it.
[[noreturn]] void become_supervisor(const std::string& program, int output) {
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    // What the shell left open (a lock, a log) must not live as long as the daemon.
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    // With the shim preloaded and a stale SSH_AUTH_SOCK the supervisor's own probe of that path
    // would be redirected, and the dead agent would look alive.
    ::unsetenv("SSH_AUTH_SOCK");
    ::execlp(program.c_str(), program.c_str(), "--daemon", static_cast<char*>(nullptr));
    const int code = errno;
    ::dprintf(STDERR_FILENO, "cannot execute '%s': %s\n", program.c_str(), std::strerror(code));
    ::_exit(exit_not_found);
}

std::string written_to(int file) {
    std::string text(longest_complaint, '\0');
    const ssize_t count = ::pread(file, text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    std::string lines;
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        lines += '\n' + printable(std::string_view(text).substr(start, end - start));
        start = end + 1;
    }
    return lines;
}

/// Whether livesockd says, in SupervisorLock's words, that another one holds the lock: one that
/// serves, or is about to (and may not have written its pid yet), or is about to end. Or, in those
/// of listen_in_place_of_dead(), that agent.sock is served: by a service manager, who then starts a
/// supervisor, as it was connected to.
bool lost_the_race(const std::string& said) {
    return said.find("already running") != std::string::npos ||
           said.find(std::strerror(EWOULDBLOCK)) != std::string::npos ||
           said.find("is served by another process") != std::string::npos;
}

Result<void> wait_for_child(pid_t child, int output) {
    const UniqueFd process(::pidfd_open(child, 0));
    pollfd entry{process.get(), POLLIN, 0};
    // Without pidfds (Linux before 5.3) the wait has no limit.
    constexpr auto limit = static_cast<int>(std::chrono::milliseconds(start_limit).count());
    if (process && ::poll(&entry, 1, limit) == 0)
        return Error{fmt::format("livesockd (pid {}) does not begin to serve: is a file system of "
                                 "its directory or configuration not answering?",
                                 child),
                     ETIMEDOUT};
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return system_error("cannot wait for livesockd", errno);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return {};
    const std::string said = written_to(output);
    return Error{"the supervisor could not start:" + (said.empty() ? " it does not say why" : said),
                 lost_the_race(said) ? EALREADY : 0};
}

/// Whether somebody else is at it, so that looking again in a moment is worth it.
bool is_passing(int code) {
    return code == ENOENT || code == ECONNRESET || code == EALREADY || code == EAGAIN;
}

} // namespace

Result<ControlClient> find_supervisor() {
    const Result<std::vector<std::string>> choices = directory_choices(directory_inputs());
    if (!choices)
        return choices.error();
    for (const std::string& directory : *choices) {
        Result<ControlClient> client = ControlClient::connect(directory);
        const bool first = &directory == &choices->front();
        if (client || client.error().code == ETIMEDOUT || (first && client.error().code != ENOENT))
            return client;
    }
    return Error{"no supervisor is running: start it with 'livesock start'", ENOENT};
}

Result<void> launch_supervisor(const std::string& program) {
    const UniqueFd output(::memfd_create("livesockd", MFD_CLOEXEC));
    if (!output)
        return system_error("cannot start livesockd", errno);
    const pid_t child = ::fork();
    if (child < 0)
        return system_error("cannot start livesockd", errno);
    if (child == 0)
        become_supervisor(program, output.get());
    return wait_for_child(child, output.get());
}

Result<ControlClient> ensure_supervisor() {
    const TimePoint deadline = Clock::now() + race_limit;
    for (auto pause = 0ms;; pause = std::clamp(pause * 2, 10ms, 200ms)) {
        Result<ControlClient> found = find_answering();
        if (found || !is_passing(found.error().code))
            return found;
        Error obstacle = found.error();
        // Many logins may do this at once; livesockd's lock decides which one of them starts it.
        if (obstacle.code != EAGAIN)
            if (const Result<void> launched = launch_supervisor(locate().supervisor); !launched)
                obstacle = launched.error();
        if (!is_passing(obstacle.code) || Clock::now() >= deadline)
            return obstacle;
        std::this_thread::sleep_for(pause);
    }
}

} // namespace livesock
