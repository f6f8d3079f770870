#include "tools/signing_text.hpp"

#include "supervisor/base/escape.hpp"
#include "tools/exports.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace livesock {
namespace {

using json = nlohmann::ordered_json;

/// How a container reaches a listener.
struct Exposure {
    std::string url;                      ///< LIVESOCK_SIGN_URL there
    std::vector<std::string> run_options; ///< of docker and podman, each one word
    std::vector<std::string> remarks;     ///< what is to be done before, or to be known
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view unix_prefix = "unix:";

/// Where things are in the container.
constexpr std::string_view socket_directory = "/run/livesock";
constexpr std::string_view token_path = "/run/secrets/livesock-sign-token";
constexpr std::string_view script_path = "/usr/local/bin/livesock-sign";

/// Of `livesock signing token`.
constexpr std::size_t longest_token_name = 64;

constexpr std::string_view gateway_name = "host.docker.internal";

std::string port_of(const std::string& listen) {
    return listen.substr(listen.rfind(':'));
}

bool is_loopback(const std::string& listen) {
    return listen.starts_with("127.") || listen.starts_with("[::1]");
}

bool is_wildcard(const std::string& listen) {
    return listen.starts_with("0.0.0.0:") || listen.starts_with("[::]:");
}

/// The user's file with the token for the containers of this listener.
std::string own_token_file(const SigningReport& listener, const std::string& home) {
    std::string name = listener.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '/' || c == ':'; }, '_');
    return fmt::format("{}/.config/livesock/{}.token", home, name);
}

Exposure of_unix(const SigningReport& listener) {
    const std::string directory = mounted_directory(listener);
    const std::string name = listener.listen.substr(listener.listen.rfind('/'));
    return {
        .url = fmt::format("unix:{}{}", socket_directory, name),
        .run_options = {"-v", fmt::format("{}:{}:ro", directory, socket_directory)},
        .remarks = {"The directory is mounted, and not the socket alone: that is made anew when "
                    "livesockd is; keep nothing else in it. Whoever is in the container as another "
                    "user than yours needs "
                    "that user ID (as this host sees it) in 'allow_uids', or a token."}};
}

Exposure of_wildcard(const SigningReport& listener) {
    const auto& hosts = listener.hosts;
    Exposure exposure{.url = fmt::format("http://{}{}", gateway_name, port_of(listener.listen)),
                      .run_options = {"--add-host", fmt::format("{}:host-gateway", gateway_name)},
                      .remarks = {}};
    if (std::find(hosts.begin(), hosts.end(), gateway_name) == hosts.end())
        exposure.remarks.push_back(fmt::format(
            "Add to the listener in livesock.toml: hosts = [\"{}\"]; then: livesock reload",
            gateway_name));
    return exposure;
}

/// What the endpoint and the token file are to the container.
Pairs variables(const SigningReport& listener, const Exposure& exposure) {
    Pairs set{{"LIVESOCK_SIGN_URL", exposure.url}};
    if (listener.token_file)
        set.emplace_back("LIVESOCK_SIGN_TOKEN_FILE", token_path);
    return set;
}

Pairs git_settings(const SigningReport& listener) {
    return {{"gpg.format", "ssh"},
            {"gpg.ssh.program", "livesock-sign"},
            {"user.signingkey", "key::" + listener.public_key.value_or("")},
            {"commit.gpgsign", "true"},
            {"tag.gpgsign", "true"}};
}

/// A name that `livesock signing token` takes, of what may be an address.
std::string token_name(const SigningReport& listener) {
    constexpr std::string_view allowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    std::string name = ("container-" + listener.name).substr(0, longest_token_name);
    std::replace_if(
        name.begin(), name.end(),
        [&](char c) { return allowed.find(c) == std::string_view::npos; }, '_');
    return name;
}

std::string allowed_signer(const SigningReport& listener) {
    return fmt::format("namespaces=\"{}\" {}", fmt::join(listener.namespaces, ","),
                       listener.public_key.value_or(""));
}

std::string word(std::string_view text) {
    return quoted(Shell::posix, text);
}

Exposure exposure_of(const SigningReport& listener) {
    const std::string& listen = listener.listen;
    if (listen.starts_with(unix_prefix))
        return of_unix(listener);
    if (is_wildcard(listen))
        return of_wildcard(listener);
    Exposure exposure{.url = "http://" + listen, .run_options = {}, .remarks = {}};
    if (is_loopback(listen)) {
        exposure.run_options = {"--network", "host"};
        exposure.remarks.emplace_back(
            "Only who shares this host's network reaches a loopback address. For a container with "
            "a "
            "network of its own use a Unix listener, or listen at the container network's address "
            "with a 'token_file'.");
    }
    return exposure;
}

} // namespace

std::string mounted_directory(const SigningReport& listener) {
    if (!listener.listen.starts_with(unix_prefix))
        return {};
    const std::string path = listener.listen.substr(unix_prefix.size());
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

std::string expose_text(const SigningReport& listener, const ExposingHost& host) {
    const Exposure exposure = exposure_of(listener);
    const std::string own_token = own_token_file(listener, host.home);
    std::string text = fmt::format("# The signing listener '{}' ({}).\n", escaped(listener.name),
                                   escaped(listener.listen));
    for (const std::string& remark : exposure.remarks)
        text += fmt::format("# {}\n", remark);
    if (listener.token_file)
        text += fmt::format("\n# Once: a token for it, in a file of its own.\n"
                            "(umask 077 && livesock signing token {} --listener {} > {})\n",
                            word(token_name(listener)), word(listener.name), word(own_token));
    text += "\n# The container (docker or podman; 'IMAGE' and what follows is yours).\ndocker run";
    for (const std::string& option : exposure.run_options)
        text += ' ' + word(option);
    text += fmt::format(" \\\n    -v {}", word(fmt::format("{}:{}:ro", host.script, script_path)));
    if (listener.token_file)
        text += fmt::format(" \\\n    -v {}", word(fmt::format("{}:{}:ro", own_token, token_path)));
    for (const auto& [name, value] : variables(listener, exposure))
        text += fmt::format(" \\\n    -e {}", word(fmt::format("{}={}", name, value)));
    text += " \\\n    IMAGE\n\n# In the container (needs curl and git; ssh-keygen to verify).\n";
    for (const auto& [name, value] : git_settings(listener))
        text += fmt::format("git config --global {} {}\n", name, word(value));
    text += fmt::format("\n# Where signatures are verified.\n"
                        "echo \"$(git config user.email)\" {} >> ~/.ssh/allowed_signers\n"
                        "git config --global gpg.ssh.allowedSignersFile ~/.ssh/allowed_signers\n",
                        word(allowed_signer(listener)));
    return text;
}

std::string expose_devcontainer(const SigningReport& listener, const ExposingHost& host) {
    const Exposure exposure = exposure_of(listener);
    json container;
    container["runArgs"] = exposure.run_options;
    json mounts = json::array();
    mounts.push_back(
        fmt::format("type=bind,source={},target={},readonly", host.script, script_path));
    if (listener.token_file)
        mounts.push_back(fmt::format("type=bind,source={},target={},readonly",
                                     own_token_file(listener, "${localEnv:HOME}"), token_path));
    container["mounts"] = mounts;
    for (const auto& [name, value] : variables(listener, exposure))
        container["containerEnv"][name] = value;
    std::string setup;
    for (const auto& [name, value] : git_settings(listener))
        setup += fmt::format("{}git config --global {} {}", setup.empty() ? "" : " && ", name,
                             word(value));
    container["postCreateCommand"] = setup;
    return container.dump(2, ' ', /* ensure_ascii */ true, json::error_handler_t::replace) + '\n';
}

} // namespace livesock
