// The composition root: everything that livesockd consists of, wired together.
#pragma once

#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/broker/agent_listeners.hpp"
#include "supervisor/broker/broker.hpp"
#include "supervisor/control/server.hpp"
#include "supervisor/daemon/config.hpp"
#include "supervisor/daemon/hand_over.hpp"
#include "supervisor/loop/event_loop.hpp"
#include "supervisor/proxy/proxy.hpp"
#include "supervisor/signing/signing_service.hpp"
#include "supervisor/upstream/directory_keeper.hpp"
#include "supervisor/upstream/discovery.hpp"
#include "supervisor/upstream/fallbacks.hpp"
#include "supervisor/upstream/stand_ins.hpp"
#include "supervisor/upstream/upstreams.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace livesock {

struct SupervisorOptions {
    std::string config_path;
    bool config_must_exist = false;
    std::optional<log::Level> log_level; ///< beats the configuration's
    std::string log_file;                ///< where the log goes already; empty for standard error
};

class Supervisor final : private ControlHost {
  public:
    /// Listens in the runtime directory: when this returns, clients are not refused any more. With
    /// a `predecessor`, who serves them, it takes its place in run().
    static Result<std::unique_ptr<Supervisor>>
    create(ClaimedDir claimed, SupervisorOptions options,
           std::unique_ptr<Predecessor> predecessor = nullptr);
    ~Supervisor();

    /// Serves until it is told to stop, by a signal or through the control socket.
    Result<void> run();

  private:
    Supervisor(ClaimedDir claimed, SupervisorOptions options, Config config, EventLoop loop,
               std::unique_ptr<Predecessor> predecessor);

    Result<void> listen();
    void announce();
    void make_stand_ins();
    void make_listeners();
    void make_broker();
    std::unique_ptr<Route> make_bus(const UpstreamSettings& settings, const std::string& token);
    Result<void> discover(const Config& config);
    /// Whether the names in the directory are ours to change: a predecessor's are until it says so.
    bool is_in_charge() const { return !predecessor_ || predecessor_->has_released(); }
    void remove_names();
    void apply(const Config& config);
    void on_hangup();

    Estate estate() const;
    std::vector<std::string> successor_words() const;
    void keep_directory();
    bool restore_names();
    Result<void> try_to_restore_names();
    Result<void> claim_again();
    Result<void> restore_agent_socket();
    Result<void> restore_control_socket();

    Result<UniqueFd> open_agent();
    void make_signing();
    std::vector<SigningFacts> signing_facts() const;

    void start_successor();
    void answer_restart(const Result<pid_t>& outcome);
    void hand_over();
    std::chrono::milliseconds longest_request() const;
    bool has_http_clients() const;
    void leave();
    Result<void> prepare_take_over();
    void adopt(const Estate& estate);
    void settle();
    void take_over();

    EventLoop& loop() override { return loop_; }
    AgentPool& agents() override { return agents_; }
    StandIns& stand_ins() override { return *stand_ins_; }
    std::vector<ListenerFacts> listener_facts() const;
    SupervisorFacts facts() const override;
    const FailureLog& failures() const override { return proxy_->failures(); }
    Result<ClientTokens> client_tokens(const std::string& listener) override;
    RequestLog& requests() override { return proxy_->requests(); }
    std::vector<ClientUse> uses() const override { return proxy_->uses(); }
    Result<void> reload() override;
    void restart(std::function<void(const Result<pid_t>&)> done) override;
    void stop() override;

    RuntimeDir directory_;
    SupervisorOptions options_;
    Config config_;
    SupervisorLock lock_;
    EventLoop loop_;
    TimePoint started_ = Clock::now();
    std::unique_ptr<Predecessor> predecessor_; // null unless this is a restart
    ReportPublisher publisher_;
    Children children_;
    AgentPool agents_;
    Fallbacks fallbacks_;
    Upstreams upstreams_;
    WaitCommand wait_command_;
    std::unique_ptr<StandIns> stand_ins_;
    std::unique_ptr<Discovery> discovery_;
    std::unique_ptr<Proxy> proxy_;
    std::unique_ptr<AgentListeners> listeners_; // they give their clients to the proxy
    std::unique_ptr<Broker> broker_;            // it is a client of the proxy
    std::unique_ptr<ControlServer> control_;
    std::unique_ptr<SigningService> signing_; // null while a predecessor has the listeners
    Watch terminated_;
    Watch interrupted_;
    Watch hung_up_;
    bool agent_socket_is_passed_ = false; // by the service manager, who keeps it

    std::unique_ptr<DirectoryKeeper> keeper_;
    std::optional<FileId> agent_name_; // what we have made, or found, at the name
    std::optional<FileId> control_name_;
    std::string told_of_directory_; // what prevents it from being restored

    Watch settling_; // of the agents, before the predecessor's place is taken
    TimePoint settle_by_{};
    std::unique_ptr<Successor> successor_; // the last that was started
    std::vector<std::function<void(const Result<pid_t>&)>> restart_waiters_;
    bool has_handed_over_ = false; // what remains is to be answered, or given away
    Watch leaving_;
    TimePoint leave_by_{};
};

} // namespace livesock
