// livesockd --daemon: into the background, with word to whoever started us.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

namespace livesock {

/// Held by the process in the background until it serves. Destroyed before that, it reports that
/// the start has failed.
class Readiness {
  public:
    Readiness() = default;
    explicit Readiness(UniqueFd pipe)
        : pipe_(std::move(pipe)) {}

    /// Lets the process in the foreground end: with success, or with `error` on its standard error.
    void report(const Result<void>& outcome);

  private:
    UniqueFd pipe_;
};

/// Forks. The caller goes on in a new session without a terminal; the process that called stays in
/// the foreground until the Readiness has reported, and exits 0, or 1 after printing the error.
[[nodiscard]] Result<Readiness> daemonize();

} // namespace livesock
