#include "supervisor/daemon/daemonize.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace livesock {
namespace {

/// What is said of a start that succeeded: no error's text.
constexpr char success = '\0';

/// Waits for the report and ends this process by it.
[[noreturn]] void wait_in_foreground(const UniqueFd& pipe) {
    std::string report;
    char buffer[512];
    ssize_t count = 0;
    while ((count = ::read(pipe.get(), buffer, sizeof buffer)) > 0 || (count < 0 && errno == EINTR))
        report.append(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
    if (report == std::string(1, success))
        ::_exit(EXIT_SUCCESS);
    if (report.empty())
        report = "it ended while it started";
    std::fprintf(stderr, "livesockd: %s\n", report.c_str());
    ::_exit(EXIT_FAILURE);
}

} // namespace

Result<Readiness> daemonize() {
    // Whoever started us may be waiting for the end of one of these.
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return system_error("cannot make a pipe", errno);
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const pid_t child = ::fork();
    if (child < 0)
        return system_error("cannot fork", errno);
    if (child > 0) {
        write_end.reset();
        wait_in_foreground(read_end);
    }
    ::setsid();
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null || ::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(null.get(), STDOUT_FILENO) < 0 ||
        ::chdir("/") != 0)
        return system_error("cannot leave the terminal", errno);
    return Readiness(std::move(write_end));
}

void Readiness::report(const Result<void>& outcome) {
    const std::string text = outcome ? std::string(1, success) : outcome.error().message;
    if (pipe_) [[maybe_unused]]
        const ssize_t written = ::write(pipe_.get(), text.data(), text.size());
    pipe_.reset();
}

} // namespace livesock
