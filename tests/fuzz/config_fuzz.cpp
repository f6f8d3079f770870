// Whatever is in livesock.toml: the parser neither crashes nor hands out a configuration that is
// out of range, and its message is one printable line.
#include "supervisor/base/endpoint.hpp"
#include "supervisor/broker/publish_listener.hpp"
#include "supervisor/daemon/config.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace livesock;

namespace {

void require(bool claim) {
    if (!claim)
        std::abort();
}

/// Whoever can be reached by others has a token, or names who they are.
bool is_closed(const ListenSettings& listen) {
    const Result<Endpoint> endpoint = tcp_endpoint(listen.tcp);
    return !listen.token_file.empty() || !listen.path.empty() || !listen.cids.empty() ||
           (endpoint && is_loopback(*endpoint));
}

bool is_closed(const BrokerListenSettings& listen) {
    const Result<ListenAddress> address = parse_broker_address(listen.address);
    return address && (!listen.token_file.empty() || is_local(*address));
}

bool in_range(const GuestSettings& guest) {
    return !guest.name.empty() && guest.name.front() != '-' && guest.rate >= 1;
}

bool in_range(const BrokerSettings& broker) {
    return broker.approve_timeout.count() > 0 && in_range(broker.others) &&
           std::all_of(broker.guests.begin(), broker.guests.end(),
                       [](const auto& guest) { return in_range(guest); }) &&
           std::all_of(broker.listens.begin(), broker.listens.end(), [](const auto& listen) {
               return in_range(listen.guest) && is_closed(listen);
           });
}

bool in_range(const Config& config) {
    const ProbeSettings& probe = config.probe;
    const ProxySettings& proxy = config.proxy;
    const auto& globs = config.discovery.globs;
    return probe.interval.count() > 0 && probe.timeout.count() > 0 &&
           probe.hung_after >= probe.timeout && proxy.grace.count() >= 0 &&
           proxy.list_timeout.count() > 0 && proxy.sign_timeout.count() > 0 &&
           proxy.max_clients >= 1 && proxy.max_clients <= 1'000'000 &&
           config.upstreams.size() <= most_upstream_tables &&
           config.listens.size() <= most_listen_tables &&
           std::all_of(config.listens.begin(), config.listens.end(),
                       [](const auto& listen) { return is_closed(listen); }) &&
           (config.broker == BrokerSettings() || in_range(config.broker)) &&
           std::all_of(globs.begin(), globs.end(),
                       [](const std::string& glob) { return glob.starts_with('/'); });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<Config> config = parse_config(text, "livesock.toml", "/home/ann");
    if (config) {
        require(in_range(*config));
    } else {
        const std::string& message = config.error().message;
        require(message.starts_with("livesock.toml:"));
        require(std::none_of(message.begin(), message.end(),
                             [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
    }
    return 0;
}
