// What the user can set about guests, and about other machines (livesock.toml(5)).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

/// A further socket that speaks the agent protocol. Exactly one of the first three is given.
struct ListenSettings {
    std::string tcp;            ///< "ADDR:PORT", see tcp_endpoint()
    std::string vsock;          ///< "CID:PORT", see vsock_endpoint()
    std::string path;           ///< absolute, "~/" already expanded
    std::string token_file;     ///< what the peers know; empty: no token
    std::vector<unsigned> cids; ///< the only ones that may connect over vsock; empty: all

    /// What to call it: "127.0.0.1:7222", "vsock 2:7222", or the path.
    std::string name() const {
        return !tcp.empty() ? tcp : !vsock.empty() ? "vsock " + vsock : path;
    }
    bool operator==(const ListenSettings&) const = default;
};

/// Whether a person is asked before a guest gets a signature.
enum class Approval {
    never,   ///< nobody is asked
    always,  ///< for every signature
    session, ///< once for each guest and key, until livesockd ends or has read its configuration
};

/// What a guest may do.
struct GuestSettings {
    std::string name;              ///< what the user calls it
    std::vector<std::string> keys; ///< fingerprints; empty: all, or none where others can reach us
    int rate = 120;                ///< requests a minute
    Approval approve = Approval::never;

    bool operator==(const GuestSettings&) const = default;
};

/// A socket that serves the bus's format to one guest.
struct BrokerListenSettings {
    std::string address; ///< "unix:PATH", "tcp:ADDR:PORT" or "vsock:PORT"
    std::string token_file;
    std::vector<std::string> hosts{}; ///< further names of a TCP one
    GuestSettings guest;

    bool operator==(const BrokerListenSettings&) const = default;
};

/// Which agent signs for guests.
enum class BackendMode {
    automatic,     ///< the live one, else the keys of ~/.ssh
    agent_forward, ///< the live one
    local_keys,    ///< the keys of ~/.ssh, through a private ssh-agent
};

struct BrokerSettings {
    std::string server;             ///< of a bus, an http URL; empty: none
    std::vector<uid_t> server_uids; ///< whose it may be on this machine, besides this user and root
    BackendMode mode = BackendMode::automatic;
    std::vector<std::string> approve_command; ///< gets the guest's name and the key's fingerprint
    std::chrono::milliseconds approve_timeout{60'000};
    std::string audit;    ///< the file; empty: audit.jsonl in the runtime directory
    GuestSettings others; ///< guests of the bus that are not named
    std::vector<GuestSettings> guests;
    std::vector<BrokerListenSettings> listens;

    bool operator==(const BrokerSettings&) const = default;
};

} // namespace livesock
