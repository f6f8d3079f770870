#include "supervisor/daemon/supervisor.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/unix_socket.hpp"
#include "supervisor/broker/bus_agent.hpp"
#include "supervisor/daemon/sd_notify.hpp"
#include "supervisor/daemon/socket_glob.hpp"
#include "supervisor/upstream/local_keys.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

/// Of what guests have asked for; in the runtime directory.
constexpr char audit_name[] = "audit.jsonl";

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
bool is_own_name(const std::string& path, Origin origin) {
    std::error_code gone;
    if (path.ends_with(aside_suffix))
        return parse_forwarded(forwarded_places(),
                               std::string_view(path).substr(0, path.size() - aside_suffix.size()))
            .has_value();
    return origin == Origin::forwarded && std::filesystem::is_symlink(path, gone);
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
    , upstreams_(loop_, agents_, children_,
                 [this](const UpstreamSettings& settings, const std::string& token) {
                     return make_bus(settings, token);
                 })
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
        agent_socket = listen_in_place_of_dead(agent_path);
    if (!agent_socket)
        return agent_socket.error();
    const std::string control_path = directory_.entry(control_socket_name);
    remove_keys_sockets(directory_);
    agents_.never_use(agent_path);
    agents_.never_use(control_path);
    proxy_ = std::make_unique<Proxy>(loop_, agents_, config_.proxy, std::move(*agent_socket));
    agent_name_ = file_at(agent_path);
    Result<UniqueFd> control_socket = listen_in_place_of_dead(control_path);
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
    make_signing();
    signing_->apply(config_.signing);
    upstreams_.apply(config_.upstreams);
    make_listeners();
    listeners_->apply(config_.listens);
    make_broker();
    broker_->apply(config_.broker);
    return {};
}

void Supervisor::make_listeners() {
    listeners_ = std::make_unique<AgentListeners>(
        loop_,
        [this](UniqueFd client, const std::string& where) {
            log::debug("a client connects from {}", where);
            proxy_->take_client(std::move(client), {});
        },
        [this] { return proxy_->has_room_for_remote(); });
}

void Supervisor::make_broker() {
    broker_ = std::make_unique<Broker>(
        loop_, children_,
        HostAgents{
            .live = [this] { return open_agent(); },
            .has_live =
                [this] {
                    const Candidate* const agent = agents_.selected();
                    return agent != nullptr && agent->state() == AgentState::live;
                },
            .local = std::make_unique<LocalKeys>(loop_, children_, keys_socket(directory_) + ".b",
                                                 directory_inputs().home + "/.ssh"),
            .list_limit = [this] { return config_.proxy.grace + config_.proxy.list_timeout; },
            .sign_limit = [this] { return config_.proxy.grace + config_.proxy.sign_timeout; }},
        directory_.entry(audit_name));
}

std::unique_ptr<Route> Supervisor::make_bus(const UpstreamSettings& settings,
                                            const std::string& token) {
    Result<HttpUrl> parsed = parse_http_url(settings.bus);
    assert(parsed); // the configuration was read
    return std::make_unique<BusAgent>(loop_, std::move(*parsed), token, settings.server_uids,
                                      [this] { return config_.proxy.sign_timeout; });
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
                              if (is_own_name(path, origin))
                                  return;
                              const Result<Candidate*> added = agents_.add(path, origin);
                              if (!added)
                                  log::debug("passed over: {}", added.error().message);
                          });
    if (!discovery)
        return discovery.error();
    discovery_ = std::move(*discovery);
    agents_.on_gone([this](const std::string& path) { discovery_->look_again(path); });
    agents_.forget_if([this](const Candidate& agent) {
        return agent.origin() != Origin::registered && !agent.is_wanted() &&
               !discovery_->covers(agent.name());
    });
    return {};
}

void Supervisor::apply(const Config& config) {
    log::set_level(options_.log_level.value_or(config.log_level));
    agents_.apply(config.probe);
    agents_.apply(config.labels);
    agents_.limit_upstreams(config.proxy.max_upstreams);
    ProxySettings proxy = config.proxy;
    proxy.merge = config.selection.mode == SelectionMode::merge;
    proxy.follows_typing = config.selection.policy == SelectionPolicy::active_client;
    if (proxy_) {
        proxy_->apply(proxy);
        if (proxy.follows_typing)
            proxy_->follow_typing(children_);
        proxy_->on_wait([this](const WaitingSign& sign) {
            wait_command_.run(config_.proxy.policy.on_wait, sign);
        });
    }
    const std::vector<std::string>& own = agents_.own_sockets();
    for (const ListenSettings& listen : config.listens)
        if (!listen.path.empty() && std::find(own.begin(), own.end(), listen.path) == own.end())
            agents_.never_use(listen.path);
    agents_.publish_instead(proxy.is_no_mere_relay() ? directory_.entry(agent_socket_name)
                                                     : std::string());
    if (stand_ins_ && !has_handed_over_)
        stand_ins_->apply(config.stand_in);
    if (signing_ && !has_handed_over_)
        signing_->apply(config.signing);
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
    upstreams_.apply(config->upstreams);
    config_ = std::move(*config);
    apply(config_);
    if (listeners_ && !has_handed_over_)
        listeners_->apply(config_.listens);
    if (broker_ && !has_handed_over_)
        broker_->apply(config_.broker);
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
    if (proxy_ && is_in_charge() && lock_.is_lock_of(directory_))
        remove_names();
    signing_.reset();
    listeners_.reset();
    broker_.reset();
    if (proxy_)
        proxy_->shut_down();
    fallbacks_.apply({});
    upstreams_.apply({});
    children_.end_all();
    lock_.release();
}

std::vector<ListenerFacts> Supervisor::listener_facts() const {
    std::vector<ListenerFacts> facts;
    for (const ListenerView& view : listeners_->list())
        facts.push_back({view.name, view.kind, view.reason});
    for (const ListenerView& view : broker_->list())
        facts.push_back({view.name, view.kind, view.reason});
    return facts;
}

SupervisorFacts Supervisor::facts() const {
    return {.directory = directory_.path(),
            .agent_socket = directory_.entry(agent_socket_name),
            .config = config_.file ? options_.config_path : std::string(),
            .is_config_changed = version_of(options_.config_path) != config_.file,
            .log_file = options_.log_file,
            .follows_typing = config_.selection.policy == SelectionPolicy::active_client,
            .started = started_,
            .clients = proxy_->clients(),
            .answered = proxy_->statistics().answered,
            .failed = proxy_->statistics().failed,
            .signing = signing_facts(),
            .listeners = listener_facts()};
}

} // namespace livesock
