// The composition root: everything that livesockd consists of, wired together.
#pragma once

#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/control/server.hpp"
#include "supervisor/daemon/config.hpp"
#include "supervisor/loop/event_loop.hpp"
#include "supervisor/proxy/proxy.hpp"
#include "supervisor/upstream/discovery.hpp"

#include <memory>
#include <optional>
#include <string>

namespace livesock {

struct SupervisorOptions {
    std::string config_path;
    bool config_must_exist = false;
    std::optional<log::Level> log_level; ///< beats the configuration's
    std::string log_file;                ///< where the log goes already; empty for standard error
};

class Supervisor final : private ControlHost {
  public:
    /// Listens in the runtime directory: when this returns, clients are not refused any more.
    static Result<std::unique_ptr<Supervisor>> create(ClaimedDir claimed,
                                                      SupervisorOptions options);
    ~Supervisor();

    /// Serves until it is told to stop, by a signal or through the control socket.
    Result<void> run();

  private:
    Supervisor(ClaimedDir claimed, SupervisorOptions options, Config config, EventLoop loop);

    Result<void> listen();
    Result<void> discover(const DiscoverySettings& settings);
    void remove_names();
    void apply(const Config& config);
    void on_hangup();

    EventLoop& loop() override { return loop_; }
    AgentPool& agents() override { return agents_; }
    SupervisorFacts facts() const override;
    const FailureLog& failures() const override { return proxy_->failures(); }
    Result<void> reload() override;
    void stop() override;

    RuntimeDir directory_;
    SupervisorOptions options_;
    Config config_;
    SupervisorLock lock_;
    EventLoop loop_;
    TimePoint started_ = Clock::now();
    ReportPublisher publisher_;
    AgentPool agents_;
    std::unique_ptr<Discovery> discovery_;
    std::unique_ptr<Proxy> proxy_;
    std::unique_ptr<ControlServer> control_;
    Watch terminated_;
    Watch interrupted_;
    Watch hung_up_;
    bool agent_socket_is_passed_ = false; // by the service manager, who keeps it
};

} // namespace livesock
