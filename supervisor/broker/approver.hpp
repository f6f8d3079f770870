// Asks the user, by a command of theirs, whether a guest may have a signature.
#pragma once

#include "supervisor/broker/settings.hpp"
#include "supervisor/loop/event_loop.hpp"
#include "supervisor/upstream/children.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace livesock {

/// So many commands run at once, and so many for one guest; what further ones would ask is refused.
inline constexpr std::size_t most_questions = 8;
inline constexpr std::size_t most_guest_questions = 4;

/// What was decided. The texts are those of the audit.
struct Decision {
    bool is_approved = false;
    std::string approval; ///< "none", "asked", "remembered", "refused"
    std::string reason;   ///< why not; empty if approved
};

/// Runs the command with two more words, the name that the user has given the guest and the
/// fingerprint of the key: its exit status 0 means yes. No shell sees it, and nothing that a guest
/// has said is among its words.
class Approver {
  public:
    using Decide = std::function<void(const Decision&)>;
    using Id = std::uint64_t;

    /// `children` outlives this.
    Approver(EventLoop& loop, Children& children);
    ~Approver();

    /// Forgets what was approved for a session, and refuses what is being asked.
    void apply(std::vector<std::string> command, Duration limit);

    /// Calls `decide` once, within this call or from the loop, unless it is cancelled before.
    Id ask(const GuestSettings& guest, const std::string& key, Decide decide);
    void cancel(Id id);

    std::size_t questions() const { return questions_.size(); }

  private:
    struct Question {
        std::pair<std::string, std::string> about; // guest and key
        bool is_for_session = false;
        std::vector<std::pair<Id, Decide>> waiting;
        pid_t pid = 0;
        Watch too_slow;
        bool is_over = false;
    };

    void start(std::unique_ptr<Question> question);
    void finish(Question& question, const Decision& decision);
    void sweep();

    EventLoop& loop_;
    Children& children_;
    std::vector<std::string> command_;
    Duration limit_{};
    Id next_id_ = 1;
    std::set<std::pair<std::string, std::string>> remembered_;
    std::vector<std::unique_ptr<Question>> questions_;
    Watch sweep_;
};

} // namespace livesock
