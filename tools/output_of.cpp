#include "tools/output_of.hpp"

#include "supervisor/base/spawn.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace livesock {
namespace {

/// More is cut off.
constexpr std::size_t longest_output = 1024 * 1024;

/// Reads to the end; whether that came before `deadline`.
bool read_all(int fd, TimePoint deadline, std::string& text) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd entry{fd, POLLIN, 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::max<long long>(left.count(), 0)));
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return false;
        char chunk[16 * 1024];
        const ssize_t count = ready > 0 ? ::read(fd, chunk, sizeof chunk) : -1;
        if (count == 0)
            return true;
        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0 && text.size() < longest_output)
            text.append(chunk, static_cast<std::size_t>(count));
    }
}

} // namespace

std::optional<Outcome> outcome_of(const std::vector<std::string>& words, OutputStream stream,
                                  Duration limit) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return std::nullopt;
    const UniqueFd output(ends[0]);
    UniqueFd input(ends[1]);
    Program program{.words = words, .environment = environment_of_children()};
    (stream == OutputStream::output ? program.output : program.error) = input.get();
    const Result<pid_t> child = spawn(program);
    input.reset();
    if (!child)
        return std::nullopt;
    Outcome outcome;
    const bool in_time = read_all(output.get(), Clock::now() + limit, outcome.text);
    // One that goes on without its output would have us wait for ever.
    if (!in_time)
        ::kill(-*child, SIGKILL);
    int status = 0;
    while (::waitpid(*child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!in_time || !WIFEXITED(status))
        return std::nullopt;
    outcome.status = WEXITSTATUS(status);
    if (outcome.text.ends_with('\n'))
        outcome.text.pop_back();
    return outcome;
}

std::optional<std::string> output_of(const std::vector<std::string>& words, Duration limit) {
    std::optional<Outcome> outcome = outcome_of(words, OutputStream::output, limit);
    if (!outcome || outcome->status != 0)
        return std::nullopt;
    return std::move(outcome->text);
}

} // namespace livesock
