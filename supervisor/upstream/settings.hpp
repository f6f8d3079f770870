// What the user can set about finding, asking and choosing agents (livesock.toml(5)).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

struct DiscoverySettings {
    /// Look for sshd's sockets: /tmp/ssh-*/agent.* and ~/.ssh/agent/s.*.sshd.*.
    bool forwarded = true;
    /// Further agent sockets: absolute glob(7) patterns, "~/" already expanded.
    std::vector<std::string> globs;

    bool operator==(const DiscoverySettings&) const = default;
};

struct ProbeSettings {
    std::chrono::milliseconds interval{30'000};   ///< between two questions to a live agent
    std::chrono::milliseconds timeout{2'000};     ///< unanswered for so long: late
    std::chrono::milliseconds hung_after{10'000}; ///< unanswered for so long: hung; >= timeout

    bool operator==(const ProbeSettings&) const = default;
};

/// How many connections one agent may see at once, unless the user says otherwise.
inline constexpr std::size_t default_most_upstreams = 1024;

/// How one of several live agents is chosen where none is pinned.
enum class SelectionPolicy {
    newest,        ///< the latest login; agents with keys before those without
    active_client, ///< that of the tmux client which typed last where the request comes from
};

/// How many agents serve at once.
enum class SelectionMode {
    single, ///< the one that is chosen
    merge,  ///< all that are live: their keys are one list, each signs with its own
};

struct SelectionSettings {
    SelectionPolicy policy = SelectionPolicy::newest;
    SelectionMode mode = SelectionMode::single;

    bool operator==(const SelectionSettings&) const = default;
};

/// An agent that is used only while no other is live. Exactly one of these is given.
struct FallbackSettings {
    std::string socket;               ///< absolute, "~/" already expanded
    std::vector<std::string> command; ///< speaks the protocol on its standard input and output
    bool local_keys = false;          ///< the keys of ~/.ssh

    bool operator==(const FallbackSettings&) const = default;
};

/// An agent that the user has, and that is reached in one of these ways. Exactly one is given.
struct UpstreamSettings {
    std::string tcp;                     ///< "ADDR:PORT", see tcp_endpoint()
    std::string vsock;                   ///< "CID:PORT", see vsock_endpoint()
    std::vector<std::string> command;    ///< speaks the protocol on its standard input and output
    std::string bus;                     ///< where its requests are posted to: an http URL
    std::string token_file;              ///< what both ends know; empty: no token
    std::string status_file = {};        ///< with a bus: see StatusFile; empty: none
    std::vector<uid_t> server_uids = {}; ///< whose the bus may be on this machine, too

    bool operator==(const UpstreamSettings&) const = default;
};

/// What the user calls machines and agents, by the address of a client or the path of a socket.
using Labels = std::map<std::string, std::string, std::less<>>;

/// Which paths of agents get a stand-in.
enum class StandInMode {
    off,  ///< none
    dead, ///< those at which nobody listens
    hung, ///< and those at which nobody answers
};

} // namespace livesock
