// A client's connection to the agent that serves it.
#pragma once

#include "supervisor/agent/message_stream.hpp"
#include "supervisor/proxy/list_ahead.hpp"
#include "supervisor/upstream/agent_pool.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// One connection at a time, or none; and what its agent has to be told about it: that a client's
/// request is out there, and that this waits for a person.
class UpstreamConnection {
  public:
    struct Callbacks {
        std::function<void(const Message&)> message; ///< valid for the duration of the call
        std::function<void()> end;                   ///< the agent has closed it
    };
    UpstreamConnection(EventLoop& loop, AgentPool& agents, Callbacks callbacks)
        : loop_(loop)
        , agents_(agents)
        , callbacks_(std::move(callbacks)) {}

    /// Takes up `upstream`, a connection to `agent`, in place of none.
    void open(const Candidate& agent, Candidate::Upstream upstream);
    /// Receives from now on.
    void start() { stream_->start(); }
    /// To be called when it is open: the request is out there no longer, if it was.
    void close();
    /// Destroys what was closed; not to be called from a callback of this.
    void forget_closed() { closed_.clear(); }

    bool is_open() const { return stream_ != nullptr; }
    /// Null if there is no connection, or its agent has been forgotten.
    Candidate* agent() const { return is_open() ? agents_.find(agent_) : nullptr; }
    /// Candidate::id() and path() of the agent it was opened to last.
    std::uint64_t agent_id() const { return agent_; }
    const std::string& agent_path() const { return path_; }

    /// Whether it was opened before the present request: the agent may have closed it since.
    bool was_kept() const { return was_kept_; }
    void set_kept() { was_kept_ = true; }

    void send(std::string_view frame) { stream_->send(frame); }
    /// From here to request_ended() the agent has a request of the client.
    void request_began();
    /// And that is one for a signature.
    void sign_began();
    /// Without effect if none has begun.
    void request_ended();

    /// Account of the list that is asked for before the client does.
    ListAhead& ahead() { return ahead_; }

  private:
    EventLoop& loop_;
    AgentPool& agents_;
    Callbacks callbacks_;
    std::unique_ptr<MessageStream> stream_;
    std::vector<std::unique_ptr<MessageStream>> closed_; // may be in a callback of theirs
    std::string path_;
    std::uint64_t agent_ = 0;
    bool was_kept_ = false;
    bool is_out_ = false;
    bool is_signing_ = false;
    ListAhead ahead_;
};

} // namespace livesock
