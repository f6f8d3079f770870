// The sections [[upstream]] and [[listen]]: agents, and clients, over other transports.
#include "supervisor/base/endpoint.hpp"
#include "supervisor/daemon/config_reader.hpp"
#include "supervisor/http/http_url.hpp"

#include <limits>

namespace livesock {
namespace {

/// A string that `parse` takes; its error says what was expected.
template <auto member, auto parse>
Verdict parsed(Owner<member>& target, const toml::node& node, const Input&) {
    const auto* const text = node.as_string();
    const auto result = parse(text == nullptr ? std::string_view() : text->get());
    if (!result)
        return expected(node, result.error().message);
    target.*member = text->get();
    return std::nullopt;
}

template <auto member>
Verdict cids(Owner<member>& target, const toml::node& node, const Input&) {
    const toml::array* const array = node.as_array();
    if (array == nullptr || array->empty())
        return expected(node, "an array of numbers such as [3, 4]");
    std::vector<unsigned> found;
    for (const toml::node& element : *array) {
        const auto* const number = element.as_integer();
        // The highest one means "any".
        if (number == nullptr || number->get() < 0 ||
            number->get() >= std::numeric_limits<unsigned>::max())
            return expected_of_each(element, "numbers of virtual machines");
        found.push_back(static_cast<unsigned>(number->get()));
    }
    target.*member = std::move(found);
    return std::nullopt;
}

constexpr Key<UpstreamSettings> upstream_keys[] = {
    {"tcp", parsed<&UpstreamSettings::tcp, tcp_endpoint>},
    {"vsock", parsed<&UpstreamSettings::vsock, vsock_endpoint>},
    {"command", command<&UpstreamSettings::command>},
    {"bus", parsed<&UpstreamSettings::bus, parse_http_url>},
    {"token_file", path<&UpstreamSettings::token_file>},
    {"server_uids", uids<&UpstreamSettings::server_uids>},
    {"status_file", path<&UpstreamSettings::status_file>},
};

constexpr Key<ListenSettings> proxy_listen_keys[] = {
    {"tcp", parsed<&ListenSettings::tcp, tcp_endpoint>},
    {"vsock", parsed<&ListenSettings::vsock, vsock_endpoint>},
    {"path", path<&ListenSettings::path>},
    {"token_file", path<&ListenSettings::token_file>},
    {"cids", cids<&ListenSettings::cids>},
};

bool is_loopback_address(const std::string& tcp) {
    const Result<Endpoint> endpoint = tcp_endpoint(tcp);
    return endpoint && is_loopback(*endpoint);
}

/// What is wrong with keys that are right each by itself; empty if nothing is.
std::string flaw_of(const UpstreamSettings& upstream) {
    const int ways = !upstream.tcp.empty() + !upstream.vsock.empty() + !upstream.command.empty() +
                     !upstream.bus.empty();
    if (ways != 1)
        return fmt::format("upstream has {} of tcp, vsock, command and bus, expected exactly one",
                           ways);
    if (!upstream.command.empty() && !upstream.token_file.empty())
        return "upstream.token_file is for tcp, vsock and bus";
    if (upstream.bus.empty() && !upstream.status_file.empty())
        return "upstream.status_file is for bus";
    if (upstream.vsock.starts_with("any:"))
        return "upstream.vsock is to lead to one machine, \"any\" is for [[listen]]";
    if (upstream.bus.empty() && !upstream.server_uids.empty())
        return "upstream.server_uids is for bus";
    if ((upstream.vsock.starts_with("local:") || upstream.vsock.starts_with("1:")) &&
        upstream.token_file.empty())
        return fmt::format(
            "upstream.vsock is \"{}\", where any user of this machine can listen: it "
            "needs a token_file",
            upstream.vsock);
    if (!upstream.tcp.empty() && upstream.token_file.empty() && !is_loopback_address(upstream.tcp))
        return fmt::format("upstream.tcp is \"{}\", another machine's: it needs a token_file",
                           upstream.tcp);
    return {};
}

std::string flaw_of(const ListenSettings& listen) {
    const int ways = !listen.tcp.empty() + !listen.vsock.empty() + !listen.path.empty();
    if (ways != 1)
        return fmt::format("listen has {} of tcp, vsock and path, expected exactly one", ways);
    if (!listen.path.empty() && !listen.token_file.empty())
        return "listen.token_file is for tcp and vsock: a path is open to this user alone";
    if (listen.vsock.empty() && !listen.cids.empty())
        return "listen.cids is for vsock";
    if (!listen.tcp.empty() && listen.token_file.empty() && !is_loopback_address(listen.tcp))
        return fmt::format("listen.tcp is \"{}\", which others can reach: it needs a token_file",
                           listen.tcp);
    if (!listen.vsock.empty() && listen.token_file.empty() && listen.cids.empty())
        return fmt::format("listen.vsock is \"{}\", which every virtual machine can reach: it "
                           "needs a token_file, or the cids that may connect",
                           listen.vsock);
    return {};
}

/// Adds what `table` says to `known`.
template <class Settings, std::size_t count>
void read_one(Input& input, const ConfigSection& section, const toml::table& table,
              const Key<Settings> (&keys)[count], std::vector<Settings>& known, std::size_t most) {
    Settings settings;
    const std::size_t faults_before = input.faults.size();
    read_keys(input, section, table, keys, settings);
    if (input.faults.size() > faults_before)
        return;
    if (const std::string flaw = flaw_of(settings); !flaw.empty())
        input.fault(table.source(), flaw);
    else if (std::find(known.begin(), known.end(), settings) != known.end())
        input.fault(table.source(),
                    fmt::format("{} says what an earlier one says already", section.name));
    else if (known.size() == most)
        input.fault(table.source(),
                    fmt::format("there are more than {} tables [[{}]]", most, section.name));
    known.push_back(std::move(settings));
}

void read_upstreams(Input& input, const ConfigSection& section, const toml::node& node,
                    Config& config) {
    read_each(input, section, node, [&](const toml::table& table) {
        read_one(input, section, table, upstream_keys, config.upstreams, most_upstream_tables);
    });
}

void read_listens(Input& input, const ConfigSection& section, const toml::node& node,
                  Config& config) {
    read_each(input, section, node, [&](const toml::table& table) {
        read_one(input, section, table, proxy_listen_keys, config.listens, most_listen_tables);
    });
}

} // namespace

ConfigSection upstream_section() {
    return {"upstream", names_of<upstream_keys>, read_upstreams};
}

ConfigSection listen_section() {
    return {"listen", names_of<proxy_listen_keys>, read_listens};
}

} // namespace livesock
