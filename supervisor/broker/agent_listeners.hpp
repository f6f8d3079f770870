// The listeners of [[listen]].
#pragma once

#include "supervisor/broker/agent_listener.hpp"
#include "supervisor/broker/listener_view.hpp"
#include "supervisor/upstream/inherited_sockets.hpp"
#include "supervisor/upstream/kept_socket.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// Listens as the user has configured; what cannot be listened at now is tried again, and a path
/// that somebody removes is made again.
class AgentListeners {
  public:
    /// What the names of its sockets begin with when they are given to another supervisor.
    static constexpr std::string_view hand_over_prefix = "agent ";

    AgentListeners(EventLoop& loop, AgentListener::Taker take, std::function<bool()> may_take);
    /// Removes the names that were made, unless they have been given away.
    ~AgentListeners();

    /// Has these and no others from now on; what is the same as before stays as it is.
    void apply(const std::vector<ListenSettings>& settings);

    /// A socket that listens already, of the name that give_away() said, for the next apply().
    void inherit(std::string name, UniqueFd listener);

    /// Calls `give` for each socket, then accepts nobody any more: who waits is left to whom they
    /// were given.
    void give_away(const std::function<void(const std::string& name, int fd)>& give);

    std::vector<ListenerView> list() const;

  private:
    struct Entry {
        ListenSettings settings;
        std::unique_ptr<AgentListener> listener; // null while it cannot be
        KeptSocket socket;
    };

    void open(Entry& entry);
    void try_again();
    bool restore();

    EventLoop& loop_;
    AgentListener::Taker take_;
    std::function<bool()> may_take_;
    InheritedSockets inherited_;
    std::vector<Entry> entries_;
    Watch again_;
};

} // namespace livesock
