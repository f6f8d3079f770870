// The section [broker]: what guests may have of this host's agents.
#include "supervisor/base/endpoint.hpp"
#include "supervisor/broker/publish_listener.hpp"
#include "supervisor/daemon/config_reader.hpp"
#include "supervisor/http/http_url.hpp"

#include <set>

namespace livesock {
namespace {

/// What unnamed guests of the bus are called.
constexpr std::string_view name_of_others = "bus";

constexpr std::size_t longest_name = 64;

constexpr Choice<Approval> approvals[] = {
    {"never", Approval::never},
    {"always", Approval::always},
    {"session", Approval::session},
};

constexpr Choice<BackendMode> backend_modes[] = {
    {"auto", BackendMode::automatic},
    {"agent-forward", BackendMode::agent_forward},
    {"local-keys", BackendMode::local_keys},
};

/// A name that can be a word of a command, and stand in a log.
Verdict guest_name(GuestSettings& guest, const toml::node& node, const Input&) {
    constexpr std::string_view known =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const auto* const text = node.as_string();
    const std::string name = text == nullptr ? std::string() : text->get();
    if (name.empty() || name.size() > longest_name || name.front() == '-' ||
        name.find_first_not_of(known) != std::string::npos)
        return expected(node, "a name of letters, digits, '.', '_' and '-'");
    guest.name = name;
    return std::nullopt;
}

constexpr Key<GuestSettings> guest_keys_of_table[] = {
    {"name", guest_name},
    {"keys", fingerprints<&GuestSettings::keys>},
    {"rate", whole_number<&GuestSettings::rate, 1, 100'000>},
    {"approve", choice<&GuestSettings::approve, approvals>},
};

/// The setter of a guest's key, for a table that has a guest in it.
template <auto guest, auto setter>
Verdict of_guest(Owner<guest>& target, const toml::node& node, const Input& input) {
    return setter(target.*guest, node, input);
}

Verdict address(BrokerListenSettings& listen, const toml::node& node, const Input& input) {
    const auto* const text = node.as_string();
    const Result<std::string> words = read_address(text ? text->get() : std::string(), input);
    if (!words)
        return expected(node, words.error().message);
    if (const Result<ListenAddress> parsed = parse_broker_address(*words); !parsed)
        return expected(node, parsed.error().message);
    listen.address = *words;
    return std::nullopt;
}

constexpr Key<BrokerListenSettings> broker_listen_keys[] = {
    {"address", address},
    {"token_file", path<&BrokerListenSettings::token_file>},
    {"hosts", texts<&BrokerListenSettings::hosts>},
    {"name", of_guest<&BrokerListenSettings::guest, guest_name>},
    {"keys", of_guest<&BrokerListenSettings::guest, fingerprints<&GuestSettings::keys>>},
    {"rate",
     of_guest<&BrokerListenSettings::guest, whole_number<&GuestSettings::rate, 1, 100'000>>},
    {"approve", of_guest<&BrokerListenSettings::guest, choice<&GuestSettings::approve, approvals>>},
};

Verdict server(BrokerSettings& broker, const toml::node& node, const Input&) {
    const auto* const text = node.as_string();
    const Result<HttpUrl> parsed =
        parse_http_url(text == nullptr ? std::string_view() : text->get());
    if (!parsed)
        return expected(node, "the URL of the bus's server such as \"http://localhost:8080\" "
                              "(names are not looked up)");
    broker.server = text->get();
    return std::nullopt;
}

constexpr Key<BrokerSettings> broker_keys[] = {
    {"server", server},
    {"server_uids", uids<&BrokerSettings::server_uids>},
    {"mode", choice<&BrokerSettings::mode, backend_modes>},
    {"keys", of_guest<&BrokerSettings::others, fingerprints<&GuestSettings::keys>>},
    {"rate", of_guest<&BrokerSettings::others, whole_number<&GuestSettings::rate, 1, 100'000>>},
    {"approve", of_guest<&BrokerSettings::others, choice<&GuestSettings::approve, approvals>>},
    {"approve_command", command<&BrokerSettings::approve_command>},
    {"approve_timeout", duration<&BrokerSettings::approve_timeout, 1>},
    {"audit", path<&BrokerSettings::audit>},
};

/// Those, and the tables within [broker].
constexpr std::string_view broker_names[] = {
    "server",          "server_uids",     "mode",  "keys",  "rate",   "approve",
    "approve_command", "approve_timeout", "audit", "guest", "listen",
};
constexpr ConfigSection guest_section{"broker.guest", names_of<guest_keys_of_table>, nullptr};
constexpr ConfigSection listen_section_of_broker{"broker.listen", names_of<broker_listen_keys>,
                                                 nullptr};

/// What is wrong with a listener's keys that are right each by itself; empty if nothing is.
std::string flaw_of(const BrokerListenSettings& listen) {
    const Result<ListenAddress> parsed = parse_broker_address(listen.address);
    if (!parsed)
        return "broker.listen has no address";
    if (!listen.token_file.empty())
        return {};
    if (is_local(*parsed))
        return {};
    return fmt::format("broker.listen.address is one that {} can reach: it needs a token_file",
                       parsed->endpoint.is_tcp() ? "others" : "every virtual machine");
}

void read_guest(Input& input, const toml::table& table, BrokerSettings& broker) {
    GuestSettings guest;
    const std::size_t faults_before = input.faults.size();
    read_keys(input, guest_section, table, guest_keys_of_table, guest);
    if (input.faults.size() == faults_before && guest.name.empty())
        input.fault(table.source(), "broker.guest has no name");
    if (broker.guests.size() == most_broker_tables)
        input.fault(table.source(), "there are too many tables [[broker.guest]]");
    broker.guests.push_back(std::move(guest));
}

void read_listen(Input& input, const toml::table& table, BrokerSettings& broker) {
    BrokerListenSettings listen;
    const std::size_t faults_before = input.faults.size();
    read_keys(input, listen_section_of_broker, table, broker_listen_keys, listen);
    if (input.faults.size() > faults_before)
        return;
    if (const std::string flaw = flaw_of(listen); !flaw.empty())
        input.fault(table.source(), flaw);
    else if (listen.guest.name.empty())
        input.fault(table.source(), "broker.listen has no name for its guest");
    if (broker.listens.size() == most_broker_tables)
        input.fault(table.source(), "there are too many tables [[broker.listen]]");
    broker.listens.push_back(std::move(listen));
}

/// What can be wrong with the tables together, told where the key stands.
void check_broker(Input& input, const toml::table& table, const BrokerSettings& broker) {
    std::set<std::string> names{std::string(name_of_others)};
    std::set<std::string> addresses;
    const auto check_approve = [&](const GuestSettings& guest, const toml::table& its) {
        if (guest.approve != Approval::never && broker.approve_command.empty())
            input.fault(its.get("approve")->source(),
                        "broker has an approve that asks, and no approve_command");
    };
    const auto check_guest = [&](const GuestSettings& guest, const toml::table& its) {
        check_approve(guest, its);
        if (!names.insert(guest.name).second)
            input.fault(its.get("name")->source(),
                        fmt::format("broker has two guests of the name '{}'", cited(guest.name)));
    };
    check_approve(broker.others, table);
    for (std::size_t i = 0; i < broker.guests.size(); ++i)
        check_guest(broker.guests[i], *table["guest"][i].as_table());
    for (std::size_t i = 0; i < broker.listens.size(); ++i) {
        const BrokerListenSettings& listen = broker.listens[i];
        const toml::table& its = *table["listen"][i].as_table();
        check_guest(listen.guest, its);
        if (!addresses.insert(listen.address).second)
            input.fault(its.get("address")->source(),
                        fmt::format("broker listens at '{}' twice", cited(listen.address)));
    }
}

void read_broker(Input& input, const ConfigSection& section, const toml::node& node,
                 Config& config) {
    const toml::table* const table = node.as_table();
    if (table == nullptr) {
        input.fault(node.source(),
                    fmt::format("broker is {}, expected a table: [broker]", describe(node)));
        return;
    }
    const std::size_t faults_before = input.faults.size();
    BrokerSettings& broker = config.broker;
    broker.others.name = name_of_others;
    for (auto&& [name, value] : *table) {
        const auto known = find_named(broker_keys, name.str());
        if (name.str() == "guest")
            read_each(input, guest_section, value,
                      [&](const toml::table& one) { read_guest(input, one, broker); });
        else if (name.str() == "listen")
            read_each(input, listen_section_of_broker, value,
                      [&](const toml::table& one) { read_listen(input, one, broker); });
        else if (known == std::end(broker_keys))
            unknown_key(input, section, name);
        else if (const Verdict refusal = known->set(broker, value, input))
            input.fault(refusal->node->source(),
                        fmt::format("broker.{}{}", known->name, refusal->text));
    }
    if (input.faults.size() == faults_before)
        check_broker(input, *table, broker);
}

} // namespace

ConfigSection broker_section() {
    return {"broker", broker_names, read_broker};
}

} // namespace livesock
