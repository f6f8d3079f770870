// A program started by the benchmark, which ends with its owner.
#pragma once

#include "supervisor/base/unique_fd.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock::bench {

/// What to start, and how. Descriptors stay the caller's; -1 means /dev/null.
struct Command {
    std::vector<std::string> argv;        ///< argv[0] is the program's path
    std::vector<std::string> environment; ///< NAME=VALUE, all of it
    int input = -1;
    int output = -1;
    int errors = -1;
};

/// A child process. Killed and reaped, by pid, when it is destroyed.
class Process {
  public:
    /// Starts `command`; throws Failure if the program cannot be executed.
    explicit Process(const Command& command);
    ~Process();
    Process(Process&& other) noexcept;
    Process& operator=(Process&&) = delete;

    pid_t pid() const { return pid_; }

    /// Whether it has not ended by itself. Reaps it if it has.
    [[nodiscard]] bool running();

    /// Waits for its end; returns its exit status, or 128 and the signal's number.
    int wait();

    /// Sends SIGTERM and waits for `patience`, then kills. Returns whether it ended by itself.
    bool stop(std::chrono::milliseconds patience = std::chrono::seconds(5));

  private:
    pid_t pid_ = -1; ///< -1: reaped
};

/// Runs `command` to its end; throws Failure unless it exits with 0.
void run(const Command& command);

} // namespace livesock::bench
