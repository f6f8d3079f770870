// What a benchmark does when it cannot measure: it throws, the row says why, the next row goes on.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

namespace livesock::bench {

/// Why a figure could not be taken, for the reader of the table. Thrown anywhere in a row, caught
/// by main(); whatever the row had started ends with its owners.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Throws a Failure that says "`what`: <strerror(errno)>".
[[noreturn]] void fail_with_errno(const std::string& what);

/// From here on SIGINT and SIGTERM are remembered and end the system call that waits; both reach
/// the owners of processes and directories as a Failure. SIGPIPE is ignored.
void catch_signals();

/// Whether SIGINT or SIGTERM arrived since catch_signals().
[[nodiscard]] bool interrupted();

/// Throws a Failure if interrupted(). For loops that wait for nothing.
void check_interrupted();

/// While it exists, a system call of the main thread that still waits after `limit` fails with
/// EINTR (alarm(2)), so that a proxy which hangs costs a row and not the table. An outer one goes
/// on when an inner one ends, with the time it had left then.
class Deadline {
  public:
    explicit Deadline(std::chrono::seconds limit);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

  private:
    unsigned outer_;
};

} // namespace livesock::bench
