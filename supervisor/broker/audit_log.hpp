// What guests have asked for, and what became of it: one JSON object a line.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace livesock {

/// The file is renamed to NAME.1, in place of an older one, when it has grown beyond this.
inline constexpr std::size_t largest_audit = 10 * 1024 * 1024;

struct AuditEntry {
    std::string guest;
    std::string_view operation;
    std::string_view result; ///< "ok", "denied" or "error"
    std::string key;         ///< fingerprint; empty: null
    std::string approval;    ///< "none", "asked", "remembered", "refused"; empty: null
    std::string reason;      ///< why it was not ok; empty: left out
};

/// Appends to a file of mode 0600 in a directory of this user of mode 0700, which is made if it is
/// missing. Nothing is kept back.
class AuditLog {
  public:
    explicit AuditLog(std::string path)
        : path_(std::move(path)) {}

    /// Opens the file, if need be. Who cannot be held to account gets no signature.
    Result<void> prepare();
    /// Writes `entry` as a whole; a failure leaves nothing of it behind.
    Result<void> write(const AuditEntry& entry, std::chrono::system_clock::time_point now);

    const std::string& path() const { return path_; }

  private:
    Result<void> open();

    std::string path_;
    UniqueFd fd_;
};

} // namespace livesock
