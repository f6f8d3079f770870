// Keeps the pages in the user's browser out: they can send requests to this machine, with a name of
// their own for it even (DNS rebinding), but cannot hide that they are pages.
#pragma once

#include "supervisor/http/http_peer.hpp"
#include "supervisor/http/request.hpp"

#include <optional>
#include <span>
#include <string>

namespace livesock {

/// Why `request` is refused (with a 403): a browser has made it. That is all to be asked of one
/// that came over a Unix socket or vsock, where browsers do not get: behind them may be a guest's
/// port of any name.
[[nodiscard]] std::optional<std::string> refused_as_page(const HttpRequest& request);

/// Why `request` is refused (with a 403): it comes from a page, or its Host is none of ours. Those
/// are the address that the client has connected to, "localhost" where that is of this machine, and
/// `hosts`: each a name for the same port ("host.example"), or with a port of its own
/// ("host.example:8080").
[[nodiscard]] std::optional<std::string> refused_as_web(const HttpRequest& request,
                                                        const HttpPeer& peer,
                                                        std::span<const std::string> hosts);

} // namespace livesock
