// Tells the user that a signature waits for them, in the way that they have chosen.
#pragma once

#include "supervisor/upstream/children.hpp"

#include <string>

#include <sys/types.h>

namespace livesock {

/// A sign request that has been waiting for policy.on_wait_after.
struct WaitingSign {
    std::string key;     ///< fingerprint; empty if the request is malformed
    std::string comment; ///< of the key, as the agent has it; empty if it is not known
    std::string program; ///< the client's; empty if it has ended
    pid_t pid = 0;       ///< the client's; 0 if it is not known
};

/// Runs the user's command line (policy.on_wait) for such a request, by /bin/sh, without waiting
/// for it. The request is told in its environment: LIVESOCK_KEY, LIVESOCK_COMMENT, LIVESOCK_PROGRAM
/// and LIVESOCK_PID. While most_running of them have not ended no further one is started.
class WaitCommand {
  public:
    static constexpr int most_running = 8;

    /// `children` outlives this.
    explicit WaitCommand(Children& children)
        : children_(children) {}

    void run(const std::string& command, const WaitingSign& sign);

  private:
    Children& children_;
    int running_ = 0;
};

} // namespace livesock
