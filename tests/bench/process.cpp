#include "tests/bench/process.hpp"

#include "tests/bench/failure.hpp"
#include "tests/bench/statistics.hpp"

#include <csignal>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const std::string& string : strings)
        result.push_back(const_cast<char*>(string.c_str())); // posix_spawn(3) does not write to it
    result.push_back(nullptr);
    return result;
}

void redirect(posix_spawn_file_actions_t& actions, int fd, int target, int flags) {
    if (fd >= 0)
        posix_spawn_file_actions_adddup2(&actions, fd, target);
    else
        posix_spawn_file_actions_addopen(&actions, target, "/dev/null", flags, 0);
}

int exit_status(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

Process::Process(const Command& command) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    redirect(actions, command.input, STDIN_FILENO, O_RDONLY);
    redirect(actions, command.output, STDOUT_FILENO, O_WRONLY);
    redirect(actions, command.errors, STDERR_FILENO, O_WRONLY);
    const auto argv = pointers(command.argv);
    const auto environment = pointers(command.environment);
    errno = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (errno != 0) {
        pid_ = -1;
        fail_with_errno("cannot start '" + command.argv[0] + "'");
    }
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)) {}

Process::~Process() {
    if (pid_ < 0)
        return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool Process::running() {
    if (pid_ >= 0 && waitpid(pid_, nullptr, WNOHANG) == pid_)
        pid_ = -1;
    return pid_ >= 0;
}

int Process::wait() {
    int status = 0;
    if (waitpid(pid_, &status, 0) < 0)
        fail_with_errno("waiting for process " + std::to_string(pid_));
    pid_ = -1;
    return exit_status(status);
}

bool Process::stop(std::chrono::milliseconds patience) {
    if (pid_ < 0)
        return true;
    kill(pid_, SIGTERM);
    const double give_up = now_ns() + static_cast<double>(patience.count()) * 1e6;
    while (running()) {
        if (now_ns() > give_up) {
            kill(pid_, SIGKILL);
            wait();
            return false;
        }
        usleep(200);
    }
    return true;
}

void run(const Command& command) {
    if (const int status = Process(command).wait(); status != 0)
        throw Failure("'" + command.argv[0] + "' ended with status " + std::to_string(status));
}

} // namespace livesock::bench
