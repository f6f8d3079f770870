// Notices the end of a login while its sshd still waits for what is open.
#pragma once

#include "supervisor/base/unique_fd.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <functional>

#include <sys/types.h>

namespace livesock {

/// Follows the processes that an sshd has started for its client, one of them at a time. When the
/// last has ended the client logs out: its ssh ends as soon as all its channels are closed.
class LoginWatch {
  public:
    /// `on_over` is called from the loop when none of the processes is left that there were.
    LoginWatch(EventLoop& loop, pid_t sshd, std::function<void()> on_over);

    /// Looks for a process to follow unless one is followed. Whether there is one: a login that has
    /// only just begun has none yet, one that is over has none any more, and the kernel may not say
    /// (proc(5), hidepid; pidfd_open(2) came with Linux 5.3).
    bool follow();
    bool is_following() const { return static_cast<bool>(followed_); }

  private:
    void on_end();

    EventLoop& loop_;
    pid_t sshd_;
    std::function<void()> on_over_;
    UniqueFd followed_; // pidfd
    Watch ended_;
    Watch next_;
};

} // namespace livesock
