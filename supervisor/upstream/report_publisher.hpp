// Publishes which agent is live: the symlink that the shim follows.
#pragma once

#include <optional>
#include <string>

namespace livesock {

class RuntimeDir;

/// Owns the `live` symlink of a runtime directory.
class ReportPublisher {
  public:
    /// Takes over from a predecessor: what it left is withdrawn until an agent has answered.
    explicit ReportPublisher(const RuntimeDir& directory);

    /// Makes `live` lead to `agent`, or absent. The change is atomic: a reader sees the old or the
    /// new target, never none. A failure is logged, and tried again at the next call.
    void publish(const std::optional<std::string>& agent);

  private:
    std::string link_;
    std::optional<std::string> published_;
    bool has_failed_ = false; // and that has been told
};

} // namespace livesock
