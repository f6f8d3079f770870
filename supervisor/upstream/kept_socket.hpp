// A socket that listens at a path, or the reason why it does not; its name is made again when it is
// deleted.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/upstream/directory_keeper.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace livesock {

/// How long a listener that could not be opened is left before it is tried again: its address may
/// come into being later, as that of a bridge does at boot.
inline constexpr std::chrono::seconds listen_retry_pause(10);

/// The name of a Unix socket that we have made.
class SocketName {
  public:
    SocketName() = default;
    /// What is at `path` now is ours.
    explicit SocketName(std::string path);
    /// Whether it is still there.
    bool is_there() const;
    /// Removes it, unless somebody else has put something there.
    void remove();

  private:
    std::string path_;
    std::optional<FileId> file_;
};

/// The socket of a listener, or why it has none at present.
class KeptSocket {
  public:
    /// There is none, for `error`, which is told to the log unless it was told last.
    void failed(const Error& error);

    /// There is one, at `path`, or without a name if that is empty. From now on `restore` is called
    /// when the name may have disappeared, and once in any case, see DirectoryKeeper; where that
    /// cannot be noticed the log is told.
    void opened(EventLoop& loop, const std::string& path, std::function<bool()> restore);

    /// Why there is none, and what to do; empty if all is well.
    const std::string& reason() const { return reason_; }
    /// Whether it has, or had, a name that is looked after.
    bool is_watched() const { return keeper_ != nullptr; }
    bool is_there() const { return name_.is_there(); }
    void remove_name() { name_.remove(); }

  private:
    std::string reason_;
    SocketName name_;
    std::unique_ptr<DirectoryKeeper> keeper_;
};

} // namespace livesock
