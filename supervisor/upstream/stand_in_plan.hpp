// What is to be done about one path: decided from what is known of it.
#pragma once

#include "supervisor/upstream/liveness.hpp"
#include "supervisor/upstream/settings.hpp"

#include <optional>

namespace livesock {

/// Why a stand-in is there.
enum class StandInReason {
    dead, ///< nobody listens at the path
    hung, ///< the agent does not answer, and its socket is set aside
};

[[nodiscard]] std::string_view name_of(StandInReason reason);

/// What is known of a path.
struct PathView {
    bool is_referred = false;             ///< a running process has it as its SSH_AUTH_SOCK
    std::optional<AgentState> agent;      ///< of the agent that is known there, if one is
    std::optional<StandInReason> present; ///< the stand-in that is there, if one is
};

enum class StandInStep {
    none,
    stand_in,  ///< if nobody listens there
    set_aside, ///< and put a stand-in in its place
    put_back,  ///< the socket that is set aside
    bury,      ///< the socket that is set aside, for its agent is dead
    remove,    ///< the stand-in
};

/// The next step for a path; done, the path is looked at again.
[[nodiscard]] StandInStep next_step(StandInMode mode, const PathView& path);

} // namespace livesock
