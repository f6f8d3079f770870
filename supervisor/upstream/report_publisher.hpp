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

    struct Held {};
    /// Leaves `live` to the one who has it now, until release().
    ReportPublisher(const RuntimeDir& directory, Held);

    /// Leaves `live` as it is, and only notes what is to be published, until release().
    void hold() { is_held_ = true; }
    void release();

    /// Makes `live` again if somebody has deleted it, or made it lead elsewhere.
    void restore();

    /// Makes `live` lead to `agent`, or absent. The change is atomic: a reader sees the old or the
    /// new target, never none. A failure is logged, and tried again at the next call.
    void publish(const std::optional<std::string>& agent);

  private:
    std::string link_;
    std::optional<std::string> published_;
    std::optional<std::string> wanted_;
    bool is_held_ = false;
    bool has_failed_ = false; // and that has been told
};

} // namespace livesock
