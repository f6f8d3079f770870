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

/// A client of the agent socket; empty where nothing is known.
struct ClientReport {
    std::int64_t pid = 0;
    std::string program = {};   ///< that it runs
    std::string command = {};   ///< on whose behalf
    std::string directory = {}; ///< where
    std::string pane = {};      ///< of tmux: "%3"

    bool operator==(const ClientReport&) const = default;
};

/// One request of `failures`.
struct FailureReport {
    struct Attempt {
        std::string path = {};
        std::string label = {};
        std::string state = {};   ///< of the agent, when the attempt had failed
        std::string outcome = {}; ///< as in "it closed the connection"

        bool operator==(const Attempt&) const = default;
    };
    std::int64_t time = 0;    ///< in seconds since the epoch
    std::string request = {}; ///< list, sign, session-bind, query, other
    ClientReport client = {};
    double waited_seconds = 0;
    std::string cause = {};
    std::vector<Attempt> attempts = {}; ///< none where no agent could be asked
};

/// One who uses an agent.
struct UserReport {
    ClientReport client = {};
    std::optional<std::string> request = {}; ///< that waits for an answer: list, sign, ...
    double seconds = 0;                      ///< for so long
};

/// One agent of `status`.
struct AgentReport {
    std::string path = {};
    std::string state = {}; ///< new, live, late, hung, dead
    bool selected = false;
    std::optional<bool> pinned = {}; ///< the pin means it; not told by older supervisors
    std::string label = {};          ///< "10.0.0.5 on pts/3", or what is known instead
    bool forwarded = false;          ///< sshd made it: it is somebody's agent, not one on this host
    bool upstream = false;           ///< the user has said how it is reached
    std::int64_t since = 0;          ///< when it was found, in seconds since the epoch
    std::optional<double> round_trip_ms = {};
    std::optional<double> unanswered_seconds = {}; ///< of the question that is open, if one is
    std::optional<std::int64_t> keys = {};
    std::optional<std::string> reason = {}; ///< why it is in this state
    std::vector<double> round_trips = {};   ///< the last ones, in milliseconds, the oldest first
    std::vector<UserReport> users = {};     ///< some of those who use it now, the busiest first
    std::int64_t user_count = 0;            ///< how many there are
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

/// One signing listener of `status`.
struct SigningReport {
    std::string name = {};
    std::string listen = {};
    std::optional<std::string> problem = {}; ///< why it does not listen
    std::vector<std::string> namespaces = {};
    std::vector<std::string> hosts = {};
    std::optional<std::string> token_file = {};
    std::optional<std::string> public_key = {}; ///< of the key that would sign now
    std::int64_t answered = 0;
    std::int64_t refused = 0;
    std::int64_t signatures = 0;
};

/// A further socket for clients.
struct ListenerReport {
    std::string name = {};
    std::string kind = {};
    std::optional<std::string> reason = {}; ///< why nobody can connect there
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
    std::optional<std::string> config = {}; ///< the file that is in force
    bool is_config_changed = false;         ///< since it was read
    std::optional<std::string> live = {};
    std::optional<std::string> pinned = {};
    bool follows_typing = false; ///< requests go to the agent of who types, where that is known
    std::int64_t clients = 0;
    std::int64_t answered = 0;
    std::int64_t failed = 0;
    bool logs_to_file = false;
    std::optional<std::string> log_path = {};
    std::vector<AgentReport> agents = {}; ///< the selected one first
    std::vector<StandInReport> stand_ins = {};
    std::vector<SigningReport> signing = {};
    std::vector<ListenerReport> listeners = {};
};

/// The answer to `use`.
struct ChoiceReport {
    std::optional<std::string> label = {}; ///< of the agent that is used now
    std::optional<std::string> by = {};    ///< path, label, address, host, tty, key
    std::vector<std::string> among = {};   ///< the labels of all that the word fits
};

/// One request of `watch`.
struct DoneReport {
    std::int64_t number = 0;
    std::int64_t time = 0;    ///< in seconds since the epoch
    std::string request = {}; ///< list, sign, ...
    ClientReport client = {};
    std::string agent = {}; ///< the path of the one that was asked last; empty for none
    std::string label = {}; ///< of that
    std::string end = {};   ///< answered, failed, refused
    double seconds = 0;
};

/// The answer to `watch`.
struct WatchReport {
    StatusReport status = {};
    std::int64_t changes = 0;
    std::vector<DoneReport> done = {}; ///< the oldest first
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

/// A token of `tokens`: its name and the day it was made.
struct TokenReport {
    std::string name = {};
    std::string date = {};
};
[[nodiscard]] std::vector<TokenReport> read_tokens(const ControlAnswer& answer);

[[nodiscard]] WatchReport read_watch(const ControlAnswer& answer);
[[nodiscard]] ChoiceReport read_choice(const ControlAnswer& answer);

/// The answer to `failures`, the latest first.
[[nodiscard]] std::vector<FailureReport> read_failures(const ControlAnswer& answer);

/// The answer to `heal`.
[[nodiscard]] std::vector<HealReport> read_healing(const ControlAnswer& answer);

/// The whole answer, indented, in the supervisor's order, and safe for a terminal: ASCII only.
[[nodiscard]] std::string pretty(const ControlAnswer& answer);

} // namespace livesock
