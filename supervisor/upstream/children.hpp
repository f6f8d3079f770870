// The processes that agents of our own making consist of, until nothing is left of them.
#pragma once

#include "supervisor/base/spawn.hpp"
#include "supervisor/loop/event_loop.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace livesock {

/// Starts processes, each with a process group of its own, and takes note of their ends. What is
/// left of a group when its first process has ended is killed.
class Children {
  public:
    explicit Children(EventLoop& loop)
        : loop_(loop) {}
    /// end_all().
    ~Children();

    /// spawn()s `program`; `on_end` is called from the loop with its status (wait(2)) when it has
    /// ended, unless it was told to by one of the following.
    Result<pid_t> start(const Program& program, std::function<void(int status)> on_end);

    /// Asks the group of `pid` to end (SIGTERM), and kills what is left of it after a second.
    void end(pid_t pid);
    /// Kills the group of `pid` at once. Both are without effect on one that has ended.
    void kill(pid_t pid);

    /// Ends all groups, as end() does, and returns when that is done: it waits for up to a quarter
    /// of a second for those that do not end at once. For the end of the supervisor.
    void end_all();

    std::size_t count() const { return children_.size(); }

  private:
    struct Child {
        pid_t pid = 0;
        std::function<void(int)> on_end;
        Watch kill;
    };

    struct Ended {
        std::function<void(int)> on_end;
        int status = 0;
    };

    Child* find(pid_t pid);
    void on_child_signal();
    std::optional<Ended> reap();

    EventLoop& loop_;
    std::vector<std::unique_ptr<Child>> children_;
    Watch ended_; // SIGCHLD; made with the first child
};

/// How a process ended, for a person: "ended with status 1", "was ended by signal 9".
[[nodiscard]] std::string describe_end(int status);

} // namespace livesock
