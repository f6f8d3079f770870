// Where a run of the benchmark takes place: its programs, its directories and a real ssh-agent.
#pragma once

#include "tests/bench/agent_connection.hpp"
#include "tests/bench/process.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sched.h>

namespace livesock::bench {

/// Paths of what is measured and of what measures.
struct Programs {
    std::string livesockd;
    std::string shim;
    std::string relay;
    std::string client;

    /// As they lie in the build tree that holds this program.
    [[nodiscard]] static Programs in_build_tree();
};

/// A directory made on construction; deleted with all that is in it on destruction.
class ScratchDirectory {
  public:
    /// Made inside `parent`, with a random name after `prefix`, mode 0700.
    ScratchDirectory(const std::string& parent, const std::string& prefix);
    ~ScratchDirectory();
    ScratchDirectory(ScratchDirectory&& other) noexcept;
    ScratchDirectory& operator=(ScratchDirectory&&) = delete;

    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

/// Holds everything a run needs. The agent listens at /tmp/ssh-*/agent.*, as a forwarded one does.
class Site {
  public:
    /// Starts ssh-agent with an ed25519 and an RSA key in it.
    Site(Programs programs, bool private_tmp);

    const Programs& programs() const { return programs_; }
    bool has_private_tmp() const { return private_tmp_; }

    /// Everything the run writes lies in here.
    const std::string& root() const { return root_.path(); }

    pid_t agent_pid() const { return agent_->pid(); }
    const std::string& agent_path() const { return agent_path_; }
    const sockaddr_un& agent() const { return agent_address_; }

    const Bytes& sign_with_ed25519() const { return sign_with_ed25519_; }
    const Bytes& sign_with_rsa() const { return sign_with_rsa_; }

    /// What a program is started with: a private HOME, nothing of the caller's but PATH, and
    /// `more` after it.
    [[nodiscard]] std::vector<std::string>
    environment(const std::vector<std::string>& more = {}) const;

  private:
    void start_agent();
    void add_key(const std::string& type);

    Programs programs_;
    bool private_tmp_;
    ScratchDirectory root_;
    ScratchDirectory session_;
    std::string agent_path_;
    sockaddr_un agent_address_{};
    std::optional<Process> agent_;
    Bytes sign_with_ed25519_;
    Bytes sign_with_rsa_;
};

/// While it exists, the caller, the site's agent and whatever is started run on one processor:
/// where the scheduler happens to put two programs that are compared then makes no difference.
class OneProcessor {
  public:
    explicit OneProcessor(const Site& site);
    ~OneProcessor();
    OneProcessor(const OneProcessor&) = delete;
    OneProcessor& operator=(const OneProcessor&) = delete;

  private:
    pid_t agent_;
    cpu_set_t before_;
};

/// Waits until something accepts connections at `path`; throws Failure if `process` ends before
/// that, or after ten seconds.
void wait_until_accepting(const std::string& path, Process& process);

} // namespace livesock::bench
