#include "supervisor/http/http_url.hpp"

#include <algorithm>
#include <cerrno>

namespace livesock {
namespace {

constexpr std::string_view http_scheme = "http://";
constexpr std::string_view vsock_scheme = "vsock://";
constexpr std::size_t longest_url = 1024;

Error expected() {
    return Error{"a URL with a numeric address such as \"http://127.0.0.1:498/v1/publish\" or "
                 "\"vsock://2:498/v1/publish\" (names are not looked up)",
                 EINVAL};
}

/// What may stand in a request line without an escape.
bool is_of_path(char c) {
    return c > ' ' && c <= '~' && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\';
}

} // namespace

Result<HttpUrl> parse_http_url(std::string_view text) {
    const bool is_vsock = text.starts_with(vsock_scheme);
    if (text.size() > longest_url || (!is_vsock && !text.starts_with(http_scheme)))
        return expected();
    text.remove_prefix(is_vsock ? vsock_scheme.size() : http_scheme.size());
    const std::size_t slash = std::min(text.find('/'), text.size());
    std::string host(text.substr(0, slash));
    const std::string_view path = text.substr(slash);
    if (!std::all_of(path.begin(), path.end(), is_of_path))
        return expected();
    const bool has_port = host.rfind(':') != std::string::npos && !host.ends_with(']');
    if (!is_vsock && !has_port)
        host += ":80";
    Result<Endpoint> endpoint = is_vsock ? vsock_endpoint(host) : tcp_endpoint(host);
    if (!endpoint)
        return expected();
    return HttpUrl{std::move(*endpoint), is_vsock ? "localhost" : host,
                   path.empty() ? "/" : std::string(path)};
}

} // namespace livesock
