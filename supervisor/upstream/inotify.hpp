// inotify(7), as far as it is needed here.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace livesock {

class Inotify {
  public:
    struct Event {
        int watch = -1;           ///< what add() returned; -1 with is_overflow
        std::string_view name;    ///< of the entry; valid for the duration of the call
        bool is_ended = false;    ///< the watched directory is gone, and the watch with it
        bool is_overflow = false; ///< events were lost
    };

    static Result<Inotify> create();

    /// Watches the directory `path` for names that appear in it. The same directory gives the same
    /// number again.
    Result<int> add(const std::string& path);
    /// The same for other `events` (inotify(7)).
    Result<int> add(const std::string& path, std::uint32_t events);
    void remove(int watch);

    /// Hands over the events that are there, at most one buffer full.
    void read(const std::function<void(const Event&)>& take);

    int fd() const { return fd_.get(); }

  private:
    explicit Inotify(UniqueFd fd)
        : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

} // namespace livesock
