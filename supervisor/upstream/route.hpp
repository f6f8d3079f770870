// How an agent is reached that is more than a socket which was found.
#pragma once

#include "supervisor/upstream/socket_file.hpp"

#include <limits>
#include <string>
#include <vector>

namespace livesock {

/// The way to an agent of [[fallback]] or [[upstream]]. What it needs for that (a process, a
/// private agent) it starts when it is first connected to, and ends when it is destroyed.
class Route {
  public:
    Route() = default;
    Route(const Route&) = delete;
    Route& operator=(const Route&) = delete;
    virtual ~Route() = default;

    /// A new connection to the agent, without ever waiting. Error::code is EAGAIN where the agent
    /// cannot be reached yet, or just now: it is tried again soon.
    virtual Result<AgentConnection> connect() = 0;

    /// The socket that other processes can connect to as well; empty if there is none.
    virtual const std::string& socket() const = 0;

    /// Why the last connection came to nothing, and what to do; empty if it did not, or nobody
    /// knows.
    virtual std::string trouble() const { return {}; }

    /// How many connections it can have at once.
    virtual std::size_t most_connections() const { return std::numeric_limits<std::size_t>::max(); }
};

/// The agent at a path that the user has named, and that may come and go.
class SocketRoute final : public Route {
  public:
    /// `own_sockets` would lead requests back to us: they are refused, by whatever name.
    SocketRoute(std::string path, std::vector<std::string> own_sockets)
        : path_(std::move(path))
        , own_sockets_(std::move(own_sockets))
        , socket_(path_) {}

    Result<AgentConnection> connect() override;
    const std::string& socket() const override { return socket_; }

  private:
    std::string path_;
    std::vector<std::string> own_sockets_;
    std::string socket_; // where path_ led when it was connected to last
};

} // namespace livesock
