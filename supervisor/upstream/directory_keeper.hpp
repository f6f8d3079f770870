// Notices that a directory, or something in it, has disappeared.
#pragma once

#include "supervisor/loop/event_loop.hpp"
#include "supervisor/upstream/inotify.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <sys/types.h>

namespace livesock {

/// Which file a name leads to, symlinks not followed.
struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    bool is_socket = false;

    bool operator==(const FileId&) const = default;
};

/// None if there is nothing at `path`.
[[nodiscard]] std::optional<FileId> file_at(const std::string& path);

/// Watches a directory and all that it lies in by inotify(7): while nothing disappears there it
/// costs nothing.
class DirectoryKeeper {
  public:
    /// `restore` is called from the loop, soon after something has disappeared: it makes again what
    /// is missing, and returns whether nothing is. If something is, it is called again later, at
    /// ever longer intervals. Error: no inotify to be had.
    static Result<std::unique_ptr<DirectoryKeeper>> create(EventLoop& loop, std::string directory,
                                                           std::function<bool()> restore);

    /// Has `restore` called soon.
    void look();

  private:
    DirectoryKeeper(EventLoop& loop, Inotify inotify, std::string directory,
                    std::function<bool()> restore);
    void on_readable();
    void on_timer();
    bool watch();
    bool watch_one(const std::string& path, std::uint32_t events);

    Inotify inotify_;
    std::string directory_;
    std::function<bool()> restore_;
    std::set<int> watches_;
    Duration retry_{};
    bool is_due_ = false;
    Watch readable_;
    Watch timer_;
};

} // namespace livesock
