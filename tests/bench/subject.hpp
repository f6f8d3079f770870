// The proxy that is measured: livesockd, or the relay in its place.
#pragma once

#include "tests/bench/site.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace livesock::bench {

/// How livesockd is set up for a row.
enum class Discovery {
    on,  ///< as users have it: it looks for forwarded agents in /tmp and ~/.ssh/agent
    off, ///< it knows only the agent that is registered with it
};

/// One running proxy with its runtime directory; both are gone when it is destroyed.
class Subject {
  public:
    /// Starts livesockd in `site` and returns when both its sockets accept. No agent is known
    /// yet, unless it discovered one. `more`: further lines of its configuration.
    [[nodiscard]] static Subject livesockd(const Site& site, Discovery discovery,
                                           const std::string& more = {});

    /// As livesockd(), and returns when the site's agent is live.
    [[nodiscard]] static Subject livesockd_with_agent(const Site& site, Discovery discovery,
                                                      const std::string& more = {});

    /// Starts the relay in front of the site's agent, with `live` leading to that.
    [[nodiscard]] static Subject relay(const Site& site);

    pid_t pid() const { return process_->pid(); }
    const std::string& directory() const { return directory_.path(); }
    std::string agent_socket() const { return directory() + "/agent.sock"; }

    /// What the link `live` says; empty if there is none.
    [[nodiscard]] std::string live() const;

    /// Sends `request`, one JSON object, to control.sock and returns the answering line; throws
    /// Failure unless it says "ok".
    std::string control(const std::string& request) const;

    /// Makes `path` known to livesockd and waits until `live` leads there.
    void register_agent(const std::string& path) const;

    /// Stops it as a user would. Returns whether it ended by itself within five seconds.
    bool stop() { return process_->stop(); }

  private:
    explicit Subject(const Site& site);

    ScratchDirectory directory_;
    std::optional<Process> process_;
};

/// The command that runs livesockd in the foreground for `directory`, in which its configuration
/// file is written.
[[nodiscard]] Command livesockd_command(const Site& site, const std::string& directory,
                                        Discovery discovery, const std::string& more = {});

} // namespace livesock::bench
