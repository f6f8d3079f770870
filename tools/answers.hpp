// The supervisor's answers as values (livesock-protocol(7)). Members that are missing or of another
// type than expected read as empty, so that the two programs may differ in version. Texts are as
// they came: whoever shows them escapes them.
#pragma once

#include "supervisor/base/result.hpp"
#include "supervisor/control/client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace livesock {

/// One agent of `status`.
struct AgentReport {
    std::string path = {};
    std::string state = {}; ///< new, live, late, hung, dead
    bool selected = false;
    std::string label = {}; ///< "10.0.0.5 on pts/3", or what is known instead
    bool forwarded = false; ///< sshd made it: it is somebody's agent, not one on this host
    std::int64_t since = 0; ///< when it was found, in seconds since the epoch
    std::optional<double> round_trip_ms = {};
    std::optional<std::int64_t> keys = {};
    std::optional<std::string> reason = {}; ///< why it is in this state
};

/// One stand-in of `status`.
struct StandInReport {
    struct User {
        std::int64_t pid = 0;
        std::string program = {};
    };
    std::string path = {};
    std::string reason = {};      ///< dead, hung
    std::vector<User> users = {}; ///< some of the processes that refer to the path
    std::int64_t processes = 0;   ///< how many do
};

/// What `heal` did about one path.
struct HealReport {
    std::string path = {};
    std::string result = {}; ///< unchanged, stood_in, set_aside, put_back, removed, refused
    std::string detail = {}; ///< why
};

/// The answer to `status`.
struct StatusReport {
    std::int64_t pid = 0;
    std::int64_t uptime_seconds = 0;
    std::string agent_socket = {};
    std::optional<std::string> live = {};
    std::optional<std::string> pinned = {};
    std::int64_t clients = 0;
    std::int64_t answered = 0;
    std::int64_t failed = 0;
    bool logs_to_file = false;
    std::optional<std::string> log_path = {};
    std::vector<AgentReport> agents = {}; ///< the selected one first
    std::vector<StandInReport> stand_ins = {};
};

/// One identity of `list`.
struct IdentityReport {
    std::string fingerprint = {};
    std::string type = {};
    std::string comment = {};
    std::string label = {}; ///< of the agent that holds it
};

[[nodiscard]] StatusReport read_status(const ControlAnswer& answer);
[[nodiscard]] std::vector<IdentityReport> read_identities(const ControlAnswer& answer);

/// The member `name`, if it is there and a text, or a whole number.
[[nodiscard]] std::optional<std::string> text_member(const ControlAnswer& answer, const char* name);
[[nodiscard]] std::optional<std::int64_t> number_member(const ControlAnswer& answer,
                                                        const char* name);

/// The answer to `heal`.
[[nodiscard]] std::vector<HealReport> read_healing(const ControlAnswer& answer);

/// The whole answer, indented, in the supervisor's order, and safe for a terminal: ASCII only.
[[nodiscard]] std::string pretty(const ControlAnswer& answer);

} // namespace livesock
