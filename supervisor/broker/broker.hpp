// The host role: serves guests, by a bus and by listeners of our own ([broker]).
#pragma once

#include "supervisor/broker/bus_subscription.hpp"
#include "supervisor/broker/host.hpp"
#include "supervisor/broker/listener_view.hpp"
#include "supervisor/broker/publish_listener.hpp"
#include "supervisor/broker/settings.hpp"
#include "supervisor/http/http_server.hpp"
#include "supervisor/upstream/inherited_sockets.hpp"
#include "supervisor/upstream/kept_socket.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

class Broker {
  public:
    /// What the names of its sockets begin with when they are given to another supervisor.
    static constexpr std::string_view hand_over_prefix = "broker ";

    /// `default_audit`: the file for the audit where the user names none. `children` outlives this.
    Broker(EventLoop& loop, Children& children, HostAgents agents, std::string default_audit);
    ~Broker();

    /// Serves as `settings` say from now on; what has not changed goes on. What was approved for a
    /// session is forgotten.
    void apply(const BrokerSettings& settings);

    /// A socket that listens already, for the listener called `name` in the next apply().
    void inherit(std::string name, UniqueFd listener) {
        inherited_.add(std::move(name), std::move(listener));
    }
    /// Calls `give` for each listening socket, and begins nothing more.
    void give_away(const std::function<void(const std::string& name, int fd)>& give);

    /// Whether nothing is owed to a guest.
    bool is_quiet() const {
        return host_.jobs() == 0 && server_.connections() == 0 && former_buses_are_quiet();
    }

    std::vector<ListenerView> list() const;

  private:
    struct Entry {
        BrokerListenSettings settings;
        std::unique_ptr<PublishListener> listener; // null while it cannot be
        KeptSocket socket;
    };
    struct Retired {
        std::unique_ptr<PublishListener> listener;
        TimePoint at;
    };

    bool former_buses_are_quiet() const;
    void retire_bus();
    void apply_bus(const BrokerSettings& settings);
    void apply_listens(const std::vector<BrokerListenSettings>& settings);
    void open(Entry& entry);
    void try_again();
    bool restore();
    void retire(Entry& entry);
    void sweep();

    EventLoop& loop_;
    std::string default_audit_;
    Host host_;
    HttpServer server_;
    BrokerSettings settings_;
    std::unique_ptr<BusSubscription> bus_;
    std::vector<std::unique_ptr<BusSubscription>> former_buses_;
    InheritedSockets inherited_;
    std::vector<Retired> retired_;
    std::vector<Entry> entries_;
    Watch again_;
    Watch sweep_;
};

} // namespace livesock
