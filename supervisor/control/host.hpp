// What the control server needs from the supervisor that it controls.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/result.hpp"
#include "supervisor/http/client_tokens.hpp"
#include "supervisor/upstream/agent_pool.hpp"
#include "supervisor/upstream/client_facts.hpp"
#include "supervisor/upstream/failure_log.hpp"
#include "supervisor/upstream/request_log.hpp"
#include "supervisor/upstream/stand_ins.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// What `livesock status` tells of one signing listener.
struct SigningFacts {
    std::string name;
    std::string listen;
    std::string problem = {}; ///< why it does not listen; empty if it does
    std::vector<std::string> namespaces = {};
    std::vector<std::string> keys = {}; ///< fingerprints; none: all
    std::vector<std::string> hosts = {};
    std::string token_file = {};
    bool requires_token = false;
    std::string public_key = {}; ///< the one that would sign now; empty if none would
    std::uint64_t answered = 0;
    std::uint64_t refused = 0;
    std::uint64_t signatures = 0;
};

/// A further way by which clients come in, besides agent.sock.
struct ListenerFacts {
    std::string name;   ///< its address
    std::string kind;   ///< "agent", "guest" or "bus"
    std::string reason; ///< why nobody can come in there now, and what to do; empty: all is well
};

/// What `livesock status` tells of the supervisor itself, besides its agents.
struct SupervisorFacts {
    std::string directory;
    std::string agent_socket;
    std::string config;             ///< the configuration file; empty if there is none
    bool is_config_changed = false; ///< the file is not as it was read
    std::string log_file;           ///< empty if the log goes to standard error
    bool follows_typing = false;    ///< selection.policy is "active-client"
    TimePoint started{};
    std::size_t clients = 0;
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
    std::vector<SigningFacts> signing = {};
    std::vector<ListenerFacts> listeners = {};
};

class ControlHost {
  public:
    virtual EventLoop& loop() = 0;
    virtual AgentPool& agents() = 0;
    virtual StandIns& stand_ins() = 0;
    virtual SupervisorFacts facts() const = 0;
    virtual const FailureLog& failures() const = 0;
    /// The tokens of the signing listener with that name or address; empty: of the only one that
    /// takes tokens.
    virtual Result<ClientTokens> client_tokens(const std::string& listener) = 0;
    virtual RequestLog& requests() = 0;
    /// What the clients of the agent socket do, the busiest first.
    virtual std::vector<ClientUse> uses() const = 0;
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
