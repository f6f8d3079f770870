// The supervisor's part in a restart, on either side: see hand_over.hpp.
#include "preload/report.h"
#include "supervisor/base/log.hpp"
#include "supervisor/daemon/sd_notify.hpp"
#include "supervisor/daemon/supervisor.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/socket.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// A successor begins when it knows every agent, or after this: one may hang.
constexpr auto longest_settling = 2s;
constexpr auto settling_pause = 5ms;

/// How often it is looked whether the next client can be given away.
constexpr auto leaving_pause = 10ms;

/// Who was replaced stays no longer than a request may take, and this.
constexpr auto leaving_margin = 1s;

/// SO_PEERCRED names to clients the process that called listen(2) last; the backlog stays.
void become_listener(int fd) {
    ::listen(fd, SOMAXCONN);
}

} // namespace

// The one that is replaced.

Estate Supervisor::estate() const {
    Estate estate{.directory = directory_.path(),
                  .log_file = options_.log_file,
                  .agent_socket_is_passed = agent_socket_is_passed_,
                  .pinned = agents_.pinned()};
    for (const auto& agent : agents_.candidates())
        if (agent->origin() == Origin::registered)
            estate.registered.push_back(agent->path());
    return estate;
}

std::vector<std::string> Supervisor::successor_words() const {
    std::vector<std::string> words;
    if (options_.config_must_exist)
        words.insert(words.end(), {"--config", options_.config_path});
    if (options_.log_level)
        words.insert(words.end(), {"--log-level", std::string(log::name_of(*options_.log_level))});
    return words;
}

void Supervisor::restart(std::function<void(const Result<pid_t>&)> done) {
    if (!proxy_ || has_handed_over_) {
        done(Error{"a restart is in progress"});
        return;
    }
    restart_waiters_.push_back(std::move(done));
    if (restart_waiters_.size() > 1 || !is_in_charge())
        return;
    // The successor refuses a directory without our lock. What kept us from having it there again
    // may have been removed just now.
    if (restore_names() && !lock_.is_lock_of(directory_))
        answer_restart(Error{fmt::format("'{}' has a supervisor of its own", directory_.path())});
    else
        start_successor();
}

void Supervisor::start_successor() {
    log::info("restarting: the successor is started");
    const int sockets[] = {lock_.fd(), proxy_->listener(), control_->listener()};
    Result<std::unique_ptr<Successor>> successor = Successor::start(
        loop_, own_program(), successor_words(), estate(), sockets,
        {.take = [this] { hand_over(); },
         .failed = [this](const std::string& why) { answer_restart(Error{why}); }});
    if (successor)
        successor_ = std::move(*successor);
    else
        answer_restart(successor.error());
}

void Supervisor::answer_restart(const Result<pid_t>& outcome) {
    if (!outcome)
        log::warning("the successor could not start, we go on: {}", outcome.error().message);
    for (const auto& done : std::exchange(restart_waiters_, {}))
        done(outcome);
}

void Supervisor::hand_over() {
    has_handed_over_ = true;
    publisher_.hold();
    stand_ins_->retire();
    agents_.keep_no_spares();
    upstreams_.leave_status_files();
    const auto give = [this](const std::string& address, int fd) {
        successor_->take_listener(address, fd);
    };
    // What it was started with may have been deleted since, and made again.
    give(agent_socket_name, proxy_->listener());
    give(control_socket_name, control_->listener());
    proxy_->stop_accepting();
    control_->stop_accepting();
    if (signing_)
        signing_->hand_over(give);
    listeners_->give_away(give);
    broker_->give_away(give);
    lock_.release();
    keeper_.reset();
    notify_service_manager(fmt::format("MAINPID={}", successor_->pid()));
    successor_->release(estate());
    log::info("the successor, pid {}, serves; {} clients go with it", successor_->pid(),
              proxy_->clients());
    answer_restart(successor_->pid());
    leave_by_ = Clock::now() + longest_request() + leaving_margin;
    leaving_ = loop_.timer([this] { leave(); });
    leave();
}

/// How long it may take until everything that is owed to a client is answered.
std::chrono::milliseconds Supervisor::longest_request() const {
    const auto of_agent = std::max(config_.proxy.sign_timeout, config_.proxy.list_timeout);
    if (!has_http_clients())
        return of_agent;
    auto of_http = of_agent + config_.broker.approve_timeout;
    for (const SigningSettings& listener : config_.signing)
        of_http = std::max(of_http, listener.timeout);
    const HttpLimits limits;
    return limits.request + of_http + limits.answer;
}

bool Supervisor::has_http_clients() const {
    return (signing_ && signing_->connections() > 0) || !broker_->is_quiet();
}

/// Clients go one by one, each as soon as its request is answered.
void Supervisor::leave() {
    proxy_->give_clients([this](int fd, std::span<const SessionBinding> bindings) {
        return successor_->take_client(fd, bindings);
    });
    control_->give_clients(
        [this](int fd, const std::string& line) { return successor_->take_control(fd, line); });
    // Those who come from our own predecessor go on to the successor too.
    const bool is_last = !predecessor_ || predecessor_->is_over();
    const bool is_empty = proxy_->clients() == 0 && control_->clients() == 0 && !has_http_clients();
    if ((is_last && is_empty) || Clock::now() >= leave_by_)
        loop_.stop();
    else
        leaving_.start(leaving_pause);
}

// The one that takes its place.

Result<void> Supervisor::prepare_take_over() {
    const Estate& estate = predecessor_->estate;
    agents_.never_use(directory_.entry(agent_socket_name));
    agents_.never_use(directory_.entry(control_socket_name));
    apply(config_);
    adopt(estate);
    fallbacks_.apply(config_.fallbacks);
    upstreams_.leave_status_files();
    upstreams_.apply(config_.upstreams);
    settle_by_ = Clock::now() + longest_settling;
    settling_ = loop_.timer([this] { settle(); });
    settling_.start(settling_pause);
    return discover(config_);
}

/// Goes on with what the predecessor was given, and what people have said to it.
void Supervisor::adopt(const Estate& estate) {
    agent_socket_is_passed_ = estate.agent_socket_is_passed;
    for (const std::string& path : estate.registered)
        agents_.restore(path);
    agents_.restore_pin(estate.pinned);
}

void Supervisor::settle() {
    // A fallback may be all that serves, and takes its time to begin.
    const bool is_served = agents_.selected() != nullptr || !agents_.has_fallback();
    if (discovery_->is_settled() && agents_.is_settled() && is_served)
        take_over();
    else if (Clock::now() >= settle_by_)
        take_over();
    else
        settling_.start(settling_pause);
}

void Supervisor::take_over() {
    become_listener(predecessor_->agent_socket.get());
    become_listener(predecessor_->control_socket.get());
    ControlHost& host = *this;
    proxy_ = std::make_unique<Proxy>(loop_, agents_, config_.proxy,
                                     std::move(predecessor_->agent_socket));
    make_stand_ins();
    control_ = std::make_unique<ControlServer>(host, std::move(predecessor_->control_socket));
    apply(config_);
    make_signing();
    make_listeners();
    make_broker();
    predecessor_->take(loop_,
                       {.listener =
                            [this](const std::string& address, UniqueFd fd) {
                                become_listener(fd.get());
                                if (address == agent_socket_name)
                                    proxy_->listen_on(std::move(fd));
                                else if (address == control_socket_name)
                                    control_->listen_on(std::move(fd));
                                else if (address.starts_with(Broker::hand_over_prefix))
                                    broker_->inherit(address, std::move(fd));
                                else if (address.starts_with(AgentListeners::hand_over_prefix))
                                    listeners_->inherit(address, std::move(fd));
                                else
                                    signing_->adopt(address, std::move(fd));
                            },
                        .released =
                            [this](const Estate& estate) {
                                lock_.note_holder();
                                // First: a registered agent may be set aside.
                                stand_ins_->take_over();
                                adopt(estate);
                                publisher_.release();
                                upstreams_.keep_status_files();
                                listeners_->apply(config_.listens);
                                broker_->apply(config_.broker);
                                keep_directory();
                                signing_->apply(config_.signing);
                                announce();
                                if (!restart_waiters_.empty())
                                    start_successor();
                            },
                        .client =
                            [this](UniqueFd fd, std::vector<SessionBinding> bindings) {
                                proxy_->take_client(std::move(fd), std::move(bindings));
                            },
                        .control =
                            [this](UniqueFd fd, const std::string& line) {
                                control_->take_client(std::move(fd), line);
                            }});
}

} // namespace livesock
