#include "supervisor/http/web_guard.hpp"

#include "supervisor/base/escape.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace livesock {
namespace {

/// ":7221" of "[::1]:7221" and of "host:7221"; empty if there is none.
std::string_view port_part(std::string_view host) {
    const std::size_t colon = host.rfind(':');
    return colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos
               ? std::string_view()
               : host.substr(colon);
}

std::string_view without_port(std::string_view host) {
    return host.substr(0, host.size() - port_part(host).size());
}

/// Whether `host`, as the client says it, is `name` at `port` (":7221").
bool is_name(std::string_view host, std::string_view name, std::string_view port) {
    const std::string whole =
        port_part(name).empty() ? fmt::format("{}{}", name, port) : std::string(name);
    // A client leaves the usual port out.
    return is_same_word(host, whole) ||
           (port_part(whole) == ":80" && is_same_word(host, without_port(whole)));
}

bool is_own_host(std::string_view host, const HttpPeer& peer, std::span<const std::string> hosts) {
    const std::string_view port = port_part(peer.own_name());
    const auto names_us = [&](std::string_view name) {
        // A browser cannot connect to a Unix socket, and a port says nothing there.
        return peer.is_unix() ? is_same_word(without_port(host), without_port(name))
                              : is_name(host, name, port);
    };
    if (peer.is_unix() || peer.is_loopback())
        if (names_us("localhost"))
            return true;
    return (!peer.is_unix() && is_name(host, peer.own_name(), port)) ||
           std::any_of(hosts.begin(), hosts.end(), names_us);
}

/// What `peer` may always call us.
std::string name_of(const HttpPeer& peer) {
    return peer.is_unix() ? "localhost" : peer.own_name();
}

} // namespace

std::optional<std::string> refused_as_page(const HttpRequest& request) {
    // Browsers add the first to what changes something, the others to all requests; scripts cannot
    // take them away.
    for (const char* const name : {"origin", "sec-fetch-site", "sec-fetch-mode"})
        if (request.header(name) != nullptr)
            return "requests of web pages are refused";
    return std::nullopt;
}

std::optional<std::string> refused_as_web(const HttpRequest& request, const HttpPeer& peer,
                                          std::span<const std::string> hosts) {
    if (std::optional<std::string> why = refused_as_page(request))
        return why;
    const std::string* const host = request.header("host");
    if (host != nullptr && is_own_host(*host, peer, hosts))
        return std::nullopt;
    return fmt::format("'{}' is no name of this listener: send 'Host: {}', as http://{}/ does, or "
                       "add the name to the listener's 'hosts' in livesock.toml",
                       escaped(host != nullptr ? *host : std::string(), 128), name_of(peer),
                       name_of(peer));
}

} // namespace livesock
