// The section [[signing]] of the configuration.
#include "supervisor/base/escape.hpp"
#include "supervisor/daemon/config_reader.hpp"

#include "supervisor/http/client_tokens.hpp"

namespace livesock {
namespace {

/// Only whole minutes' worth of memory and time are at stake: what is beyond is a mistake.
constexpr std::int64_t largest_body = 1024 * 1024 * 1024;
constexpr std::int64_t highest_rate = 1'000'000;

Verdict read_name(SigningSettings& target, const toml::node& node, const Input&) {
    const auto* const text = node.as_string();
    if (text == nullptr || !is_token_name(text->get()))
        return expected(node, "a name of letters, digits, '.', '_' and '-'");
    target.name = text->get();
    return std::nullopt;
}

Verdict read_listen(SigningSettings& target, const toml::node& node, const Input& input) {
    const auto* const text = node.as_string();
    const Result<std::string> words = read_address(text ? text->get() : std::string(), input);
    if (!words)
        return expected(node, words.error().message);
    Result<ListenAddress> address = parse_listen_address(*words);
    if (!address)
        return expected(node, address.error().message);
    target.listen = std::move(*address);
    return std::nullopt;
}

Verdict read_namespaces(SigningSettings& target, const toml::node& node, const Input& input) {
    constexpr std::string_view wanted = "an array of strings such as [\"git\"]";
    if (const toml::array* const array = node.as_array(); array != nullptr && array->empty())
        return expected(node, wanted);
    return read_words(node, input, wanted, read_text, target.namespaces);
}

Verdict read_allowed(SigningSettings& target, const toml::node& node, const Input&) {
    return read_uids(node, target.access.allow_uids);
}

template <auto set>
Verdict of_access(SigningSettings& target, const toml::node& node, const Input& input) {
    return set(target.access, node, input);
}

constexpr Key<SigningSettings> signing_keys[] = {
    {"name", read_name},
    {"listen", read_listen},
    {"namespaces", read_namespaces},
    {"keys", fingerprints<&SigningSettings::keys>},
    {"token_file", of_access<path<&AccessSettings::token_file>>},
    {"require_token", of_access<flag<&AccessSettings::requires_token>>},
    {"allow_uids", read_allowed},
    {"hosts", of_access<texts<&AccessSettings::hosts>>},
    {"max_body", whole_number<&SigningSettings::max_body, 1, largest_body>},
    {"rate", whole_number<&SigningSettings::rate, 1, highest_rate>},
    {"timeout", duration<&SigningSettings::timeout, 1>},
};

/// What is wrong with `settings` beside those that are `known`; empty if nothing is.
std::string problem_of(const SigningSettings& settings, const std::vector<SigningSettings>& known) {
    const std::string address = escaped(to_text(settings.listen));
    if (settings.access.requires_token && settings.access.token_file.empty())
        return fmt::format("signing at '{}' needs a token, expected a 'token_file'{}", address,
                           is_local(settings.listen) ? "" : ": other machines can reach it");
    for (const SigningSettings& other : known) {
        if (other.listen == settings.listen)
            return fmt::format("signing listens at '{}' twice", address);
        if (other.name == settings.name)
            return fmt::format("signing has the name '{}' twice", escaped(settings.name));
    }
    return known.size() == most_signing_listeners
               ? fmt::format("there are more than {} signing listeners", most_signing_listeners)
               : std::string();
}

void read_listener(Input& input, const ConfigSection& section, const toml::table& table,
                   Config& config) {
    SigningSettings settings;
    const std::size_t faults_before = input.faults.size();
    read_keys(input, section, table, signing_keys, settings);
    if (input.faults.size() > faults_before)
        return;
    if (!table.contains("listen")) {
        input.fault(table.source(), "signing has no 'listen', expected an address such as "
                                    "\"127.0.0.1:7221\" or \"unix:/home/me/.signing/sign.sock\"");
        return;
    }
    if (settings.name.empty())
        settings.name = to_text(settings.listen);
    if (!is_local(settings.listen))
        settings.access.requires_token = true;
    if (std::string problem = problem_of(settings, config.signing); !problem.empty())
        input.fault(table.source(), std::move(problem));
    config.signing.push_back(std::move(settings));
}

void read_signing(Input& input, const ConfigSection& section, const toml::node& node,
                  Config& config) {
    read_each(input, section, node,
              [&](const toml::table& table) { read_listener(input, section, table, config); });
}

} // namespace

ConfigSection signing_section() {
    return {"signing", names_of<signing_keys>, read_signing};
}

} // namespace livesock
