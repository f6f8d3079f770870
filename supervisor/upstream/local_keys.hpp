// The keys of ~/.ssh, in a private ssh-agent.
#pragma once

#include "supervisor/upstream/children.hpp"
#include "supervisor/upstream/route.hpp"

#include <deque>
#include <string>

namespace livesock {

/// An ssh-agent of our own, started when it is first connected to and whenever it has ended, and
/// loaded by ssh-add with the files that ssh-add takes by default. No key passes through us. Nobody
/// is asked for a passphrase: a file that needs one is left out, with a warning; so is one that
/// others can read. It can be connected to when all files have been tried. It ends with this, and
/// by the kernel's hand with our process.
class LocalKeys final : public Route {
  public:
    /// `socket`: where the agent is to listen, in a directory that is ours alone; what is there is
    /// replaced. `key_directory`: usually ~/.ssh. `children` outlives this.
    LocalKeys(EventLoop& loop, Children& children, std::string socket, std::string key_directory);
    ~LocalKeys() override;

    Result<AgentConnection> connect() override;
    const std::string& socket() const override { return socket_; }

    /// Of the private agent; 0 while there is none.
    pid_t pid() const { return agent_; }

  private:
    enum class Phase {
        none,     // no agent: it is started with the next connect()
        starting, // it does not listen yet
        loading,  // ssh-add is at work
        ready,
    };

    Result<void> start_agent();
    void on_agent_end(int status);
    void find_keys();
    void load_next();
    void stop_loading();
    Result<void> start_adding();
    void on_added(int status);
    void on_adding_too_slow();
    void collect_output();
    void tell_left_out() const;

    Children& children_;
    std::string socket_;
    std::string key_directory_;
    Phase phase_ = Phase::none;
    pid_t agent_ = 0;
    std::optional<TimePoint> started_;
    std::deque<std::string> unloaded_; // the first one is being loaded
    pid_t adding_ = 0;                 // ssh-add
    UniqueFd output_;                  // the pipe that it prints into
    std::string printed_;
    Watch too_slow_;
    std::string why_none_; // how the last agent ended, or why it could not be started
};

} // namespace livesock
