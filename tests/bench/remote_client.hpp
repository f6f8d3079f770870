// Small client processes that measure from inside, told through a pipe what to do: the way to
// compare a process with the shim with one without, in turns.
#pragma once

#include "tests/bench/process.hpp"
#include "tests/bench/site.hpp"

#include <string>

namespace livesock::bench {

/// One livesock-bench-client.
class RemoteClient {
  public:
    /// Starts it with SSH_AUTH_SOCK and whatever `more` puts into its environment.
    RemoteClient(const Site& site, const std::string& agent_path,
                 const std::vector<std::string>& more);

    /// Has it carry out `what` ("list", "sign", "bad-fd", "udp", "other-path") `count` times.
    /// Returns what one takes in nanoseconds: the median, or for the last three the mean.
    double measure(const std::string& what, int count);

  private:
    UniqueFd to_;
    UniqueFd from_;
    Process process_;
};

/// What puts the shim into a process and arms it for `directory`.
[[nodiscard]] std::vector<std::string> shim_environment(const Site& site,
                                                        const std::string& directory);

} // namespace livesock::bench
