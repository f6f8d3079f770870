// Serves the control protocol of livesock-protocol(7).
#pragma once

#include "supervisor/control/connection.hpp"
#include "supervisor/control/host.hpp"
#include "supervisor/control/watchers.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace livesock {

/// One connection more, and the oldest that waits for no answer is closed; if all do, the new one
/// is refused.
inline constexpr std::size_t most_control_connections = 64;

class ControlServer {
  public:
    /// Accepts from `listener`, which listens already and is non-blocking.
    ControlServer(ControlHost& host, UniqueFd listener);

    /// Another process that may go on with a client, for whom it is to answer `line` first, if that
    /// is not empty: whether it has taken the socket (a duplicate).
    using Taker = std::function<bool(int fd, const std::string& line)>;
    /// Accepts nobody any more; who waits in the backlog is left to whoever accepts there too.
    void stop_accepting();
    /// Accepts from `listener` from now on, and serves who waits in the former one's backlog.
    void listen_on(UniqueFd listener);
    /// Has `take` go on with each client that can be given away at this moment.
    void give_clients(const Taker& take);
    /// Serves a client that another process has given away.
    void take_client(UniqueFd client, const std::string& line);
    std::size_t clients() const { return clients_.size() - closed_.size(); }

    int listener() const { return listener_.get(); }

  private:
    using Id = std::uint64_t;
    struct Client {
        std::unique_ptr<ControlConnection> connection;
        bool waits = false; // for an agent to become live
        std::optional<TimePoint> waits_until;
        Watch patience;
    };

    void accept();
    void admit(UniqueFd fd);
    bool make_room();
    void on_line(Id id, std::string_view line);
    void on_closed(Id id);
    void run(Id id, const nlohmann::json& request);
    void report(Id id, nlohmann::json (*describe)(ControlHost&));
    void register_agent(Id id, const nlohmann::json& request);
    void use(Id id, const nlohmann::json& request);
    void wait(Id id, const nlohmann::json& request);
    void watch(Id id, const nlohmann::json& request);
    void tell_watcher(Id id);
    void heal(Id id, const nlohmann::json& request);
    void reload(Id id);
    void restart(Id id);
    void stop(Id id);
    void on_agents_changed();
    void answer(Id id, const nlohmann::json& answer);
    void answer_error(Id id, std::string_view code, const std::string& error);

    ControlHost& host_;
    UniqueFd listener_;
    Watch acceptable_;
    Watch accept_again_;
    Watch sweep_;
    Watchers watchers_;
    std::map<Id, Client> clients_;
    std::vector<Id> closed_;
    Id next_id_ = 1;
};

} // namespace livesock
