// The sections of the configuration and their keys: livesock.toml(5) in the same order.
#include "supervisor/daemon/config_reader.hpp"

#include <arpa/inet.h>

namespace livesock {
namespace {

constexpr Choice<SelectionPolicy> policies[] = {
    {"newest", SelectionPolicy::newest},
    {"active-client", SelectionPolicy::active_client},
};

constexpr Choice<SelectionMode> modes[] = {
    {"single", SelectionMode::single},
    {"merge", SelectionMode::merge},
};

constexpr Choice<log::Level> levels[] = {
    {"error", log::Level::error},
    {"warning", log::Level::warning},
    {"info", log::Level::info},
    {"debug", log::Level::debug},
};

constexpr Choice<StandInMode> stand_in_modes[] = {
    {"hung", StandInMode::hung},
    {"dead", StandInMode::dead},
    {"off", StandInMode::off},
};

/// Those that stand before the first table.
constexpr Key<Config> leading_keys[] = {
    {"stand_in", choice<&Config::stand_in, stand_in_modes>},
};

constexpr Key<DiscoverySettings> discovery_keys[] = {
    {"forwarded", flag<&DiscoverySettings::forwarded>},
    {"globs", patterns<&DiscoverySettings::globs>},
};

constexpr Key<ProbeSettings> probe_keys[] = {
    {"interval", duration<&ProbeSettings::interval, 1>},
    {"timeout", duration<&ProbeSettings::timeout, 1>},
    {"hung_after", duration<&ProbeSettings::hung_after, 1>},
};

constexpr Key<SelectionSettings> selection_keys[] = {
    {"policy", choice<&SelectionSettings::policy, policies>},
    {"mode", choice<&SelectionSettings::mode, modes>},
};

constexpr Key<ProxySettings> proxy_keys[] = {
    {"grace", duration<&ProxySettings::grace, 0>},
    {"list_timeout", duration<&ProxySettings::list_timeout, 1>},
    {"sign_timeout", duration<&ProxySettings::sign_timeout, 1>},
    {"upstream_idle", duration<&ProxySettings::upstream_idle, 1>},
    {"max_clients", whole_number<&ProxySettings::max_clients, 1, 1'000'000>},
    {"max_upstreams", whole_number<&ProxySettings::max_upstreams, 2, 1'000'000>},
};

constexpr Key<PolicySettings> policy_keys[] = {
    {"read_only", flag<&PolicySettings::read_only>},
    {"keys", texts<&PolicySettings::keys>},
    {"deny_comm", texts<&PolicySettings::deny_comm>},
    {"on_wait", text<&PolicySettings::on_wait>},
    {"on_wait_after", duration<&PolicySettings::on_wait_after, 0>},
};

constexpr Key<Config> log_keys[] = {
    {"level", choice<&Config::log_level, levels>},
};

constexpr Key<FallbackSettings> fallback_keys[] = {
    {"socket", path<&FallbackSettings::socket>},
    {"command", command<&FallbackSettings::command>},
    {"local_keys", only_true<&FallbackSettings::local_keys>},
};

Config& whole(Config& config) {
    return config;
}
template <auto member>
auto& part(Config& config) {
    return config.*member;
}

PolicySettings& policy_of(Config& config) {
    return config.proxy.policy;
}

void read_fallback(Input& input, const ConfigSection& section, const toml::table& table,
                   Config& config) {
    FallbackSettings fallback;
    const std::size_t faults_before = input.faults.size();
    read_keys(input, section, table, fallback_keys, fallback);
    if (input.faults.size() > faults_before)
        return;
    const auto& known = config.fallbacks;
    if (table.size() != 1)
        input.fault(table.source(), fmt::format("fallback has {} keys, expected exactly one of {}",
                                                table.size(), fmt::join(section.keys, ", ")));
    else if (std::find(known.begin(), known.end(), fallback) != known.end())
        input.fault(table.source(), "fallback says what an earlier one says already");
    else if (known.size() == most_fallbacks)
        input.fault(table.source(),
                    fmt::format("there are more than {} fallbacks", most_fallbacks));
    config.fallbacks.push_back(std::move(fallback));
}

void read_fallbacks(Input& input, const ConfigSection& section, const toml::node& node,
                    Config& config) {
    read_each(input, section, node,
              [&](const toml::table& table) { read_fallback(input, section, table, config); });
}

bool is_address(const std::string& text) {
    in6_addr address{};
    return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ||
           ::inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &address) == 1;
}

/// What the label is for; the names of this table are the user's own.
Result<std::string> labelled(const std::string& name, const Input& input) {
    if (is_address(name))
        return name;
    const Result<std::string> path =
        name.starts_with('/') || name.starts_with("~/") ? read_path(name, input) : Error{""};
    return path ? path
                : Error{fmt::format("unknown key '{}' in [labels], expected an address such as "
                                    "\"10.0.0.5\", in quotes, or the path of a socket",
                                    cited(name))};
}

void read_labels(Input& input, const ConfigSection&, const toml::node& node, Config& config) {
    const toml::table* const table = node.as_table();
    if (table == nullptr) {
        input.fault(node.source(),
                    fmt::format("labels is {}, expected a table: [labels]", describe(node)));
        return;
    }
    if (table->size() > most_labels)
        input.fault(table->source(), fmt::format("there are more than {} labels", most_labels));
    for (auto&& [name, value] : *table) {
        const Result<std::string> what = labelled(std::string(name.str()), input);
        const auto* const label = value.as_string();
        if (!what)
            input.fault(name.source(), what.error().message);
        else if (label == nullptr || label->get().empty() ||
                 label->get().size() > longest_label_bytes)
            input.fault(value.source(),
                        fmt::format("labels.\"{}\" is {}, expected a string of 1 "
                                    "to {} bytes",
                                    cited(name.str()), describe(value), longest_label_bytes));
        else
            config.labels[*what] = label->get();
    }
}

const ConfigSection sections[] = {
    table<part<&Config::discovery>, discovery_keys>("discovery"),
    table<part<&Config::probe>, probe_keys>("probe"),
    table<part<&Config::selection>, selection_keys>("selection"),
    table<part<&Config::proxy>, proxy_keys>("proxy"),
    table<policy_of, policy_keys>("policy"),
    {"fallback", names_of<fallback_keys>, read_fallbacks},
    signing_section(),
    upstream_section(),
    listen_section(),
    broker_section(),
    {"labels", {}, read_labels},
    table<whole, log_keys>("log"),
};

} // namespace

std::span<const ConfigSection> all_sections() {
    return sections;
}

std::span<const Key<Config>> top_keys() {
    return leading_keys;
}

} // namespace livesock
