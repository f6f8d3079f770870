// A file that tells programs in a guest whether its host's agent can be reached.
#pragma once

#include <optional>
#include <string>

namespace livesock {

/// Holds "connected" or "not connected", and a newline. It is replaced as a whole, readable for
/// everybody, and written only when that changes. A failure is logged, once.
class StatusFile {
  public:
    /// `path` may be empty: then there is no file.
    explicit StatusFile(std::string path)
        : path_(std::move(path)) {}

    /// False if that could not be written: to be told again later.
    bool tell(bool is_connected);

  private:
    std::string path_;
    std::optional<bool> told_;
    bool has_failed_ = false; // the last time
};

} // namespace livesock
