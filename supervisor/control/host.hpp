// What the control server needs from the supervisor that it controls.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/result.hpp"
#include "supervisor/upstream/agent_pool.hpp"
#include "supervisor/upstream/failure_log.hpp"
#include "supervisor/upstream/stand_ins.hpp"

#include <cstdint>
#include <functional>
#include <string>

#include <sys/types.h>

namespace livesock {

/// What `livesock status` tells of the supervisor itself, besides its agents.
struct SupervisorFacts {
    std::string directory;
    std::string agent_socket;
    std::string config;   ///< the configuration file; empty if there is none
    std::string log_file; ///< empty if the log goes to standard error
    TimePoint started{};
    std::size_t clients = 0;
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
};

class ControlHost {
  public:
    virtual EventLoop& loop() = 0;
    virtual AgentPool& agents() = 0;
    virtual StandIns& stand_ins() = 0;
    virtual SupervisorFacts facts() const = 0;
    virtual const FailureLog& failures() const = 0;
    /// Reads the configuration again. After an error the former one is in force.
    virtual Result<void> reload() = 0;
    /// Has a successor take over and says its pid, or why it could not and we go on.
    virtual void restart(std::function<void(const Result<pid_t>&)> done) = 0;
    /// Ends the supervisor when the loop's callbacks have returned.
    virtual void stop() = 0;

  protected:
    ~ControlHost() = default;
};

} // namespace livesock
