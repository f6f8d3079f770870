#include "supervisor/daemon/supervisor.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/daemon/sd_notify.hpp"
#include "supervisor/daemon/socket_glob.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

/// Listens at `path` in place of what a predecessor left there, unless somebody serves it.
Result<UniqueFd> replace_leftover(const std::string& path) {
    const Result<UniqueFd> served = dial(path);
    if (!served && served.error().code != EAGAIN)
        return listen_at(path);
    return Error{fmt::format("'{}' is served by another process: end that first", path),
                 EADDRINUSE};
}

std::string keys_socket(const RuntimeDir& directory) {
    return directory.entry(keys_socket_prefix) + std::to_string(::getpid());
}

/// Only for who has the lock, and takes nobody's place: such sockets belong to supervisors that
/// were killed.
void remove_keys_sockets(const RuntimeDir& directory) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path(), ignored))
        if (entry.is_socket(ignored) &&
            entry.path().filename().string().starts_with(keys_socket_prefix))
            std::filesystem::remove(entry.path(), ignored);
}

ForwardedPlaces forwarded_places() {
    const DirectoryInputs inputs = directory_inputs();
    return {.tmp = "/tmp", .home = inputs.home, .runtime = inputs.xdg_runtime_dir};
}

/// A stand-in, or a socket that has made room for one: the agent behind it is known already.
bool is_own_name(const std::string& path) {
    std::error_code gone;
    return path.ends_with(aside_suffix) || std::filesystem::is_symlink(path, gone);
}

} // namespace

Supervisor::Supervisor(ClaimedDir claimed, SupervisorOptions options, Config config, EventLoop loop,
                       std::unique_ptr<Predecessor> predecessor)
    : directory_(std::move(claimed.directory))
    , options_(std::move(options))
    , config_(std::move(config))
    , lock_(std::move(claimed.lock))
    , loop_(std::move(loop))
    , predecessor_(std::move(predecessor))
    , publisher_(predecessor_ ? ReportPublisher(directory_, ReportPublisher::Held{})
                              : ReportPublisher(directory_))
    , children_(loop_)
    , agents_(loop_, config_.probe, publisher_)
    , fallbacks_(loop_, agents_, children_, keys_socket(directory_), directory_inputs().home)
    , wait_command_(children_)
    , terminated_(loop_.on_signal(SIGTERM, [this] { stop(); }))
    , interrupted_(loop_.on_signal(SIGINT, [this] { stop(); }))
    , hung_up_(loop_.on_signal(SIGHUP, [this] { on_hangup(); })) {}

Result<std::unique_ptr<Supervisor>> Supervisor::create(ClaimedDir claimed,
                                                       SupervisorOptions options,
                                                       std::unique_ptr<Predecessor> predecessor) {
    Result<Config> config = load_config(options.config_path, options.config_must_exist);
    if (!config)
        return config.error();
    Result<EventLoop> loop = EventLoop::create();
    if (!loop)
        return loop.error();
    std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(claimed), std::move(options),
                                                          std::move(*config), std::move(*loop),
                                                          std::move(predecessor)));
    if (Result<void> listening =
            supervisor->predecessor_ ? supervisor->prepare_take_over() : supervisor->listen();
        !listening)
        return listening.error();
    return supervisor;
}

Result<void> Supervisor::listen() {
    const std::string agent_path = directory_.entry(agent_socket_name);
    Result<UniqueFd> agent_socket = take_passed_socket(agent_path);
    if (!agent_socket)
        return agent_socket.error();
    agent_socket_is_passed_ = static_cast<bool>(*agent_socket);
    if (!agent_socket_is_passed_)
        agent_socket = replace_leftover(agent_path);
    if (!agent_socket)
        return agent_socket.error();
    const std::string control_path = directory_.entry(control_socket_name);
    remove_keys_sockets(directory_);
    agents_.never_use(agent_path);
    agents_.never_use(control_path);
    proxy_ = std::make_unique<Proxy>(loop_, agents_, config_.proxy, std::move(*agent_socket));
    agent_name_ = file_at(agent_path);
    Result<UniqueFd> control_socket = replace_leftover(control_path);
    if (!control_socket)
        return control_socket.error();
    make_stand_ins();
    ControlHost& host = *this;
    control_ = std::make_unique<ControlServer>(host, std::move(*control_socket));
    keep_directory();
    apply(config_);
    stand_ins_->start();
    if (Result<void> discovered = discover(config_); !discovered)
        return discovered.error();
    fallbacks_.apply(config_.fallbacks);
    return {};
}

void Supervisor::make_stand_ins() {
    stand_ins_ = std::make_unique<StandIns>(
        loop_, agents_, StandInFiles(forwarded_places(), directory_.entry(agent_socket_name)),
        config_.stand_in);
}

/// A fallback's socket that comes into being is noticed like others.
Result<void> Supervisor::discover(const Config& config) {
    DiscoverySettings settings = config.discovery;
    for (const FallbackSettings& fallback : config.fallbacks)
        if (!fallback.socket.empty())
            settings.globs.push_back(literal_glob(fallback.socket));
    Result<std::unique_ptr<Discovery>> discovery =
        Discovery::create(loop_, settings, literal_glob(directory_inputs().home),
                          [this](const std::string& path, Origin origin) {
                              if (origin == Origin::forwarded && is_own_name(path))
                                  return;
                              const Result<Candidate*> added = agents_.add(path, origin);
                              if (!added)
                                  log::debug("passed over: {}", added.error().message);
                          });
    if (!discovery)
        return discovery.error();
    discovery_ = std::move(*discovery);
    agents_.forget_if([this](const Candidate& agent) {
        return agent.origin() != Origin::registered && agent.origin() != Origin::fallback &&
               !discovery_->covers(agent.name());
    });
    return {};
}

void Supervisor::apply(const Config& config) {
    log::set_level(options_.log_level.value_or(config.log_level));
    agents_.apply(config.probe);
    agents_.limit_upstreams(config.proxy.max_upstreams);
    ProxySettings proxy = config.proxy;
    proxy.merge = config.selection.mode == SelectionMode::merge;
    if (proxy_) {
        proxy_->apply(proxy);
        proxy_->on_wait([this](const WaitingSign& sign) {
            wait_command_.run(config_.proxy.policy.on_wait, sign);
        });
    }
    agents_.publish_instead(proxy.is_no_mere_relay() ? directory_.entry(agent_socket_name)
                                                     : std::string());
    if (stand_ins_ && !has_handed_over_)
        stand_ins_->apply(config.stand_in);
}

Result<void> Supervisor::run() {
    terminated_.resume();
    interrupted_.resume();
    hung_up_.resume();
    if (!predecessor_)
        announce();
    return loop_.run();
}

void Supervisor::announce() {
    log::info("livesockd {} serves '{}'", LIVESOCK_VERSION, directory_.entry(agent_socket_name));
    notify_service_manager("READY=1");
}

Result<void> Supervisor::reload() {
    Result<Config> config = load_config(options_.config_path, options_.config_must_exist);
    if (!config) {
        log::warning("{}; the former configuration stays in force", config.error().message);
        return config.error();
    }
    if (config->discovery != config_.discovery || config->fallbacks != config_.fallbacks)
        if (Result<void> discovered = discover(*config); !discovered) {
            log::warning("{}; the former configuration stays in force", discovered.error().message);
            return discovered.error();
        }
    fallbacks_.apply(config->fallbacks);
    config_ = std::move(*config);
    apply(config_);
    log::info("the configuration was read again");
    return {};
}

void Supervisor::on_hangup() {
    // reload() has logged what is wrong.
    notify_service_manager("RELOADING=1");
    [[maybe_unused]] const Result<void> reloaded = reload();
    notify_service_manager("READY=1");
}

void Supervisor::stop() {
    log::info("stopping");
    if (proxy_ && !has_handed_over_)
        notify_service_manager("STOPPING=1");
    loop_.stop();
}

/// The names go while we hold the lock: a successor cannot have made them yet. The lock goes before
/// the control connections: who waits for our end may start a successor at once.
Supervisor::~Supervisor() {
    // A successor that never took over has made nothing.
    if (proxy_ && lock_.is_lock_of(directory_))
        remove_names();
    if (proxy_)
        proxy_->shut_down();
    fallbacks_.apply({});
    children_.end_all();
    lock_.release();
}

SupervisorFacts Supervisor::facts() const {
    return {.directory = directory_.path(),
            .agent_socket = directory_.entry(agent_socket_name),
            .config = ::access(options_.config_path.c_str(), F_OK) == 0 ? options_.config_path
                                                                        : std::string(),
            .log_file = options_.log_file,
            .started = started_,
            .clients = proxy_->clients(),
            .answered = proxy_->statistics().answered,
            .failed = proxy_->statistics().failed};
}

} // namespace livesock
