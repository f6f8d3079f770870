#include "supervisor/proxy/session_bindings.hpp"

namespace livesock {
namespace {

/// OpenSSH's agent takes no more than this either (AGENT_MAX_SESSION_IDS).
constexpr std::size_t most_bindings = 16;

/// One is some 500 bytes, with a host certificate a few thousand; all of a client are kept for as
/// long as it stays, and go to a successor in one message.
constexpr std::size_t longest_bindings = 64 * 1024;

} // namespace

bool SessionBindings::has_room_for(std::string_view frame) const {
    std::size_t size = frame.size();
    for (const SessionBinding& binding : kept_)
        size += binding.frame.size();
    return kept_.size() < most_bindings && size <= longest_bindings;
}

void SessionBindings::add(std::string frame, bool was_accepted) {
    kept_.push_back({std::move(frame), was_accepted});
    repeated_ = kept_.size();
}

const std::string* SessionBindings::next() const {
    return repeated_ < kept_.size() ? &kept_[repeated_].frame : nullptr;
}

bool SessionBindings::take_answer(bool is_accepted) {
    SessionBinding& binding = kept_[repeated_];
    if (binding.was_accepted && !is_accepted)
        return false;
    binding.was_accepted |= is_accepted;
    ++repeated_;
    return true;
}

} // namespace livesock
