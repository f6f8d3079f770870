// Logins as sshd makes them, by the hundred: a directory, a socket in it, an agent that answers at
// once.
#pragma once

#include "supervisor/base/unique_fd.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace livesock::bench {

/// Serves any number of forwarded agent sockets from one thread. Each agent holds one key, answers
/// "list" with it and everything else with SSH_AGENT_FAILURE.
class FakeSshd {
  public:
    FakeSshd();
    ~FakeSshd();
    FakeSshd(const FakeSshd&) = delete;
    FakeSshd& operator=(const FakeSshd&) = delete;

    /// Makes /tmp/ssh-XXXXXXXXXX (0700) and a socket agent.PID in it, listening; returns its path.
    std::string log_in();

    /// Closes the socket at `path` and its connections, and removes it and its directory.
    void log_out(const std::string& path);

  private:
    struct Login {
        UniqueFd listener;
        std::vector<UniqueFd> connections;
    };

    void serve();
    void accept_at(Login& login);
    bool answer(int fd);

    UniqueFd epoll_;
    UniqueFd wake_;
    std::mutex mutex_; ///< guards logins_ and stopping_
    std::map<std::string, Login> logins_;
    bool stopping_ = false;
    std::thread thread_;
};

/// Makes `count` session directories whose socket nobody listens at any more, as logins leave them
/// that were killed. They lie in /tmp until it goes.
void leave_dead_sessions(int count);

} // namespace livesock::bench
