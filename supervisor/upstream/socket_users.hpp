// Which running processes have which path as their SSH_AUTH_SOCK.
#pragma once

#include "supervisor/loop/event_loop.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace livesock {

struct SocketUser {
    pid_t pid = 0;
    std::string program; ///< escaped
};

/// The processes that refer to one path.
struct PathUsers {
    /// Of so many the pid and program are kept; the rest is only counted.
    static constexpr std::size_t most_named = 64;

    std::vector<SocketUser> named; ///< in the order of /proc
    std::size_t count = 0;
};
using UsersByPath = std::map<std::string, PathUsers, std::less<>>;

/// Reads /proc for the processes of this user, a few of them a turn of the loop. What a process
/// has set since it began is not seen there (proc(5), environ), and processes that are gone, or not
/// ours to read, are passed over. So is one that sees another directory at that path than we do (a
/// container), and this process itself.
class SocketUsers {
  public:
    /// Paths that are not `is_wanted` are passed over. `on_scanned` is called after every complete
    /// scan with what it has found; it may ask for another.
    SocketUsers(EventLoop& loop, std::function<bool(std::string_view)> is_wanted,
                std::function<void(UsersByPath)> on_scanned, std::string proc = "/proc");
    ~SocketUsers();

    /// Scans soon: at once, but no sooner than a second after the last scan began. What is asked
    /// for during a scan is done by one more.
    void request();
    /// Scans as soon as a scan that is running has ended.
    void request_now();
    bool is_scanning() const { return scanning_ != nullptr; }

  private:
    struct Directory;

    void begin();
    void work();
    void finish();
    void look_at(const std::string& pid);

    std::function<bool(std::string_view)> is_wanted_;
    std::function<void(UsersByPath)> on_scanned_;
    std::string proc_;
    std::unique_ptr<Directory> scanning_; // null while no scan runs
    UsersByPath found_;
    TimePoint begun_{};
    bool is_wanted_again_ = false;
    bool is_wanted_at_once_ = false;
    Watch begin_;
    Watch work_;
};

} // namespace livesock
