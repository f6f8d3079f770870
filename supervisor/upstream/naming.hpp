// What to call an agent.
#pragma once

#include "supervisor/agent/identities.hpp"
#include "supervisor/upstream/host_names.hpp"
#include "supervisor/upstream/login.hpp"
#include "supervisor/upstream/pin.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// Knows an agent by its path, the process behind it, and the login that it was forwarded to.
class Naming {
  public:
    /// `label`: what the user calls it; empty if he has not said. `is_forwarded`: sshd is behind
    /// it.
    Naming(std::string path, std::string label, bool is_forwarded);

    /// Has the names of machines told by `names`, which outlives this.
    void ask(const HostNames& names) { host_names_ = &names; }

    /// The process `pid` listens at the socket.
    void found(pid_t pid) { pid_ = pid; }
    /// 0 before one was found.
    pid_t pid() const { return pid_; }

    /// The login behind a forwarded agent, looked up until it is known.
    const std::optional<Login>& login() const;

    /// What the client behind the login is called; empty if it has no name but its address.
    std::string client_name() const;

    /// As the user has labelled it, "10.0.0.5 on pts/3" or "laptop (10.0.0.5) on pts/3",
    /// "ssh-agent (pid 1234)", else its path.
    std::string label() const;

    /// Everything that it may be called, with `identities` in it.
    AgentNames names(const std::vector<Identity>& identities) const;

  private:
    std::string path_;
    std::string label_;
    bool is_forwarded_;
    pid_t pid_ = 0;
    mutable std::optional<Login> login_;
    const HostNames* host_names_ = nullptr;
};

} // namespace livesock
