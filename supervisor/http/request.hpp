// An HTTP request and its answer (RFC 9110, RFC 9112).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livesock {

struct HttpHeader {
    std::string name; ///< in lower case
    std::string value;
};

/// The head of a request: everything before its body.
struct HttpRequest {
    std::string method;
    std::string path;  ///< as sent: "/sign"
    std::string query; ///< as sent, without its "?"
    std::vector<HttpHeader> headers;
    bool is_http_1_0 = false;
    std::optional<std::size_t> content_length; ///< nothing: no body, or one in chunks
    bool is_chunked = false;

    bool has_body() const { return is_chunked || content_length.value_or(0) > 0; }

    /// The value of the first header called `name` (in lower case); nothing if there is none. Those
    /// that decide something are never there twice: such a request is malformed.
    const std::string* header(std::string_view name) const;
};

/// Whether they are one name or option: there the protocol does not tell upper from lower case.
[[nodiscard]] bool is_same_word(std::string_view one, std::string_view other);

/// `text` with its ASCII letters in lower case, whatever the locale.
[[nodiscard]] std::string lower_case(std::string_view text);

/// The value of the parameter `name` of `query` ("a=1&b=2"), its %XX decoded; nothing if it is not
/// there. `is_malformed` is set for bad %XX, and for a parameter that is there twice.
[[nodiscard]] std::optional<std::string> query_parameter(std::string_view query,
                                                         std::string_view name, bool& is_malformed);

/// What a client is told. A body that is no document is one line of plain text.
struct HttpAnswer {
    int status = 200;
    std::string body;
    std::string type = "text/plain; charset=utf-8";
    std::vector<std::pair<std::string, std::string>> headers = {}; ///< further ones
};

/// An answer that says why not, as one line.
[[nodiscard]] HttpAnswer refusal(int status, std::string_view reason);

/// `answer` as it goes out. Without `with_body`, for HEAD, only its head.
[[nodiscard]] std::string to_bytes(const HttpAnswer& answer, bool closes, bool with_body = true);

} // namespace livesock
