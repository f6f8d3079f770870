#include "supervisor/daemon/config.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/file.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/broker/publish_listener.hpp"
#include "supervisor/daemon/config_reader.hpp"
#include "supervisor/daemon/toml_depth.hpp"
#include "supervisor/http/http_url.hpp"

#include <cerrno>

namespace livesock {
namespace {

void unknown_name(Input& input, const toml::key& name, const toml::node& node) {
    const bool is_table = node.is_table() || node.is_array_of_tables();
    std::vector<std::string_view> known;
    for (const ConfigSection& section : all_sections())
        known.push_back(section.name);
    std::string wanted = fmt::format("one of the tables {}", fmt::join(known, ", "));
    std::vector<std::string_view> keys;
    for (const Key<Config>& key : top_keys())
        keys.push_back(key.name);
    if (!is_table)
        wanted += fmt::format(", or the key {}", fmt::join(keys, ", "));
    known.insert(known.end(), keys.begin(), keys.end());
    input.fault(name.source(),
                fmt::format("unknown {} '{}', expected {}{}", is_table ? "table" : "key",
                            cited(name.str()), wanted, did_you_mean_key(name.str(), known)));
}

void read_top_key(Input& input, const Key<Config>& key, const toml::node& node, Config& config) {
    if (const Verdict refusal = key.set(config, node, input))
        input.fault(refusal->node->source(), fmt::format("{}{}", key.name, refusal->text));
}

/// A request to sign goes through the proxy, which waits no longer than it does for others: its
/// failure would be taken for the agent's.
void limit_signing(Input& input, const toml::table& root, Config& config) {
    const auto longest = config.proxy.sign_timeout;
    for (std::size_t i = 0; i < config.signing.size(); ++i) {
        auto& timeout = config.signing[i].timeout;
        const toml::node* const given = root["signing"][i]["timeout"].node();
        if (given != nullptr && timeout > longest)
            input.fault(given->source(),
                        fmt::format("signing.timeout is {}, expected no more than "
                                    "proxy.sign_timeout, which is {}",
                                    format_duration(timeout), format_duration(longest)));
        timeout = std::min(timeout, longest);
    }
}

/// What can be wrong with values that are right each by itself.
void check_together(Input& input, const toml::table& root, const Config& config) {
    const auto given = [&](std::string_view section, std::string_view key) {
        return root[section][key].node();
    };
    if (config.probe.hung_after < config.probe.timeout) {
        const toml::node* const hung_after = given("probe", "hung_after");
        const toml::node* const node = hung_after ? hung_after : given("probe", "timeout");
        input.fault(node->source(), fmt::format("probe.hung_after is {}, expected no less than "
                                                "probe.timeout, which is {}",
                                                format_duration(config.probe.hung_after),
                                                format_duration(config.probe.timeout)));
    }
}

/// Whether an upstream at `there` leads to a listener at `here`; an empty one is none.
bool leads_to_text(Result<Endpoint> (*parse)(std::string_view), const std::string& there,
                   const std::string& here) {
    const Result<Endpoint> to = parse(there);
    const Result<Endpoint> at = parse(here);
    return to && at && leads_to(*to, *at);
}

/// Whether requests to the bus at `url` come to `listen`.
bool serves_bus(const BrokerListenSettings& listen, const std::string& url) {
    const Result<HttpUrl> bus = parse_http_url(url);
    const Result<ListenAddress> served = parse_broker_address(listen.address);
    return bus && served && !served->is_unix() && leads_to(bus->endpoint, served->endpoint);
}

/// Requests to such an agent would come back to us for ever.
void check_no_circle(Input& input, const toml::table& root, const Config& config) {
    const toml::array* const tables = root["upstream"].as_array();
    for (std::size_t i = 0; tables != nullptr && i < config.upstreams.size(); ++i) {
        const UpstreamSettings& upstream = config.upstreams[i];
        for (const ListenSettings& listen : config.listens)
            if (leads_to_text(tcp_endpoint, upstream.tcp, listen.tcp) ||
                leads_to_text(vsock_endpoint, upstream.vsock, listen.vsock))
                input.fault(tables->get(i)->source(),
                            "upstream leads to our own [[listen]]: requests would go in a circle");
        for (const BrokerListenSettings& listen : config.broker.listens)
            if (!upstream.bus.empty() && serves_bus(listen, upstream.bus))
                input.fault(tables->get(i)->source(),
                            "upstream leads to our own [[broker.listen]]: requests would go in a "
                            "circle");
    }
}

/// What toml++ says, "Error while parsing <where>: <what>", as the end of a line. It has written
/// most of what is not printable as "\\n" or "\\u..." itself: those backslashes stay single.
std::string reworded(std::string_view description) {
    constexpr std::string_view opening = "Error while parsing ";
    if (description.starts_with(opening))
        description.remove_prefix(opening.size());
    const std::string_view scope = description.substr(0, description.find(':'));

    std::string text = "this is not TOML: ";
    for (std::size_t backslash = description.find('\\'); backslash != std::string_view::npos;
         backslash = description.find('\\')) {
        text += escaped(description.substr(0, backslash)) + '\\';
        description.remove_prefix(backslash + 1);
    }
    text += escaped(description);

    // 30s is taken for a number gone wrong, ~/path for no value at all.
    for (const std::string_view kind :
         {"value", "integer", "floating-point", "date", "time", "boolean"})
        if (scope.ends_with(kind))
            return text + " (text and durations stand in quotes, as in \"30s\")";
    return text;
}

Error located(const std::string& file, std::size_t line, std::size_t column,
              std::string_view text) {
    return Error{fmt::format("{}:{}:{}: {}", escaped(file), line, column, text)};
}

Error located(const std::string& file, toml::source_position where, std::string_view text) {
    return located(file, where.line, where.column, text);
}

} // namespace

Result<Config> parse_config(std::string_view text, const std::string& file,
                            const std::string& home) {
    if (text.size() > largest_config)
        return located(file, 1, 1, fmt::format("larger than {} bytes", largest_config));
    if (const auto deep = find_deep_key(text))
        return located(file, deep->line, deep->column,
                       "a key of too many parts, expected TABLE.KEY");
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed)
        return located(file, parsed.error().source().begin, reworded(parsed.error().description()));

    const toml::table& root = parsed.table();
    const std::span<const Key<Config>> keys = top_keys();
    const std::span<const ConfigSection> sections = all_sections();
    Input input{home};
    Config config;
    for (auto&& [name, node] : root) {
        const auto key = find_named(keys, name.str());
        const auto section = find_named(sections, name.str());
        if (key != keys.end())
            read_top_key(input, *key, node, config);
        else if (section != sections.end())
            section->read(input, *section, node, config);
        else
            unknown_name(input, name, node);
    }
    if (input.faults.empty())
        check_together(input, root, config);
    if (input.faults.empty())
        limit_signing(input, root, config);
    if (input.faults.empty())
        check_no_circle(input, root, config);
    if (input.faults.empty())
        return config;
    const Fault& first =
        *std::min_element(input.faults.begin(), input.faults.end(),
                          [](const Fault& a, const Fault& b) { return a.where < b.where; });
    return located(file, first.where, first.text);
}

Result<Config> load_config(const std::string& path, bool must_exist) {
    if (path.empty() && !must_exist)
        return Config{};
    const std::string what = fmt::format("cannot read '{}'", escaped(path));
    // Before it is read: what is written meanwhile is a change.
    const std::optional<FileVersion> version = version_of(path);
    const Result<UniqueFd> file = open_trusted_file(path, FileUse::settings, what);
    if (!file) {
        const bool missing = file.error().code == ENOENT || file.error().code == ENOTDIR;
        return missing && !must_exist ? Config{} : Result<Config>(file.error());
    }
    const Result<std::string> text = read_up_to(*file, largest_config + 1, what);
    Result<Config> config =
        text ? parse_config(*text, path, directory_inputs().home) : text.error();
    if (config)
        config->file = version;
    return config;
}

} // namespace livesock
