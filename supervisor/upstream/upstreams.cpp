#include "supervisor/upstream/upstreams.hpp"

#include "supervisor/agent/token_file.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/upstream/command_agent.hpp"
#include "supervisor/upstream/remote_agent.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// A status file that cannot be written is tried again after this: its directory may be made later.
constexpr auto status_pause = 2s;

/// The authority of a URL, for people.
std::string host_of(const std::string& url) {
    const std::size_t begin = url.find("//");
    if (begin == std::string::npos)
        return url;
    return url.substr(begin + 2, url.find('/', begin + 2) - begin - 2);
}

/// Why an agent cannot be reached, in place of the way to it.
class NoRoute final : public Route {
  public:
    explicit NoRoute(Error error)
        : error_(std::move(error)) {}
    Result<AgentConnection> connect() override { return Error{error_.message, EPERM}; }
    const std::string& socket() const override { return no_socket_; }

  private:
    Error error_;
    std::string no_socket_;
};

} // namespace

Upstreams::Upstreams(EventLoop& loop, AgentPool& agents, Children& children, MakeBus make_bus)
    : loop_(loop)
    , agents_(agents)
    , children_(children)
    , make_bus_(std::move(make_bus))
    , again_(loop.timer([this] { tell_status(); })) {
    agents_.on_change([this] { tell_status(); });
}

void Upstreams::apply(const std::vector<UpstreamSettings>& settings) {
    std::vector<Known> kept;
    std::vector<std::pair<UpstreamSettings, std::string>> added;
    for (const UpstreamSettings& wanted : settings) {
        const Result<std::string> read =
            wanted.token_file.empty() ? std::string() : read_token(wanted.token_file);
        const std::string token = read ? *read : std::string();
        const auto known = std::find_if(known_.begin(), known_.end(), [&](const Known& one) {
            return one.settings == wanted && one.token == token && read.ok();
        });
        if (known != known_.end())
            kept.push_back(std::move(*known));
        else
            added.emplace_back(wanted, token);
        if (known != known_.end())
            known_.erase(known);
    }
    for (Known& known : known_)
        forget(known);
    known_ = std::move(kept);
    for (const auto& [wanted, token] : added)
        add(wanted, token);
}

void Upstreams::forget(Known& known) {
    if (!has_left_)
        known.status.tell(false);
    agents_.forget_if([&](const Candidate& agent) {
        return agent.origin() == Origin::upstream && agent.path() == known.name;
    });
}

void Upstreams::add(const UpstreamSettings& settings, const std::string& token) {
    Made made = make(settings, token);
    const std::string name = unique(made.name);
    agents_.add_routed(name, {.route = std::move(made.route),
                              .tier = 0,
                              .label = std::move(made.label),
                              .is_on_demand = false,
                              .origin = Origin::upstream,
                              .keeps_spare = made.keeps_spare,
                              .is_far_side_apart = !settings.bus.empty()});
    known_.push_back({settings, name, token, StatusFile(settings.status_file)});
    tell_status();
}

void Upstreams::keep_status_files() {
    has_left_ = false;
    tell_status();
}

void Upstreams::tell_status() {
    if (has_left_)
        return;
    bool is_told = true;
    for (Known& known : known_)
        if (const Candidate* const agent = agents_.find(known.name))
            is_told &= known.status.tell(agent->state() == AgentState::live);
    if (!is_told)
        again_.start(status_pause);
}

Upstreams::Made Upstreams::make(const UpstreamSettings& settings, const std::string& token) {
    if (!settings.command.empty()) {
        const std::string program = program_name(settings.command);
        return {std::make_unique<CommandAgent>(loop_, children_, settings.command,
                                               "command:" + program),
                "command:" + program, "command " + program, false};
    }
    const auto [kind, said] = !settings.bus.empty()  ? std::pair("bus", host_of(settings.bus))
                              : settings.tcp.empty() ? std::pair("vsock", settings.vsock)
                                                     : std::pair("tcp", settings.tcp);
    Made made{{}, fmt::format("{}:{}", kind, said), fmt::format("{} {}", kind, said)};
    if (!settings.token_file.empty() && token.empty()) {
        made.route = std::make_unique<NoRoute>(read_token(settings.token_file).error());
        return made;
    }
    if (!settings.bus.empty()) {
        made.route = make_bus_(settings, token);
        made.keeps_spare = false;
        return made;
    }
    // The configuration has been read, so this is right.
    Result<Endpoint> endpoint =
        settings.tcp.empty() ? vsock_endpoint(settings.vsock) : tcp_endpoint(settings.tcp);
    if (endpoint)
        made.route = std::make_unique<RemoteAgent>(loop_, std::move(*endpoint), token);
    else
        made.route = std::make_unique<NoRoute>(endpoint.error());
    return made;
}

std::string Upstreams::unique(const std::string& name) const {
    std::string unique = name;
    for (int number = 2; agents_.find(unique) != nullptr; ++number)
        unique = fmt::format("{}#{}", name, number);
    return unique;
}

} // namespace livesock
