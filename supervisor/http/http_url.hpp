// Where an HTTP request of ours goes.
#pragma once

#include "supervisor/base/endpoint.hpp"
#include "supervisor/base/result.hpp"

#include <string>
#include <string_view>

namespace livesock {

/// A server whose address is known, and a path on it.
struct HttpUrl {
    Endpoint endpoint;
    std::string host; ///< as the header Host has it
    std::string path; ///< with the query, if there is one
};

/// "http://ADDR:PORT/path", see tcp_endpoint(), where the port may be left out (80), or
/// "vsock://CID:PORT/path", see vsock_endpoint(). The error is what was expected.
[[nodiscard]] Result<HttpUrl> parse_http_url(std::string_view text);

} // namespace livesock
