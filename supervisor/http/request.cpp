#include "supervisor/http/request.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <strings.h>

namespace livesock {
namespace {

std::string_view phrase_of(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 202:
        return "Accepted";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 429:
        return "Too Many Requests";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "Unknown";
    }
}

int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
            return std::nullopt;
        plain += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
        i += 2;
    }
    return plain;
}

} // namespace

bool is_same_word(std::string_view one, std::string_view other) {
    return one.size() == other.size() && ::strncasecmp(one.data(), other.data(), one.size()) == 0;
}

std::string lower_case(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return result;
}

const std::string* HttpRequest::header(std::string_view name) const {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const HttpHeader& header) { return header.name == name; });
    return found == headers.end() ? nullptr : &found->value;
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name,
                                           bool& is_malformed) {
    std::optional<std::string> found;
    while (!query.empty()) {
        const std::string_view part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), part.size() + 1));
        const std::size_t equals = std::min(part.find('='), part.size());
        if (part.substr(0, equals) != name)
            continue;
        std::optional<std::string> value = decoded(part.substr(std::min(part.size(), equals + 1)));
        is_malformed = is_malformed || found || !value;
        found = std::move(value).value_or("");
    }
    return found;
}

HttpAnswer refusal(int status, std::string_view reason) {
    return {.status = status, .body = fmt::format("{}\n", reason)};
}

std::string to_bytes(const HttpAnswer& answer, bool closes, bool with_body) {
    std::string bytes =
        fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
                    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
                    answer.status, phrase_of(answer.status), answer.type, answer.body.size());
    for (const auto& [name, value] : answer.headers)
        bytes += fmt::format("{}: {}\r\n", name, value);
    bytes += closes ? "Connection: close\r\n\r\n" : "\r\n";
    if (with_body)
        bytes += answer.body;
    return bytes;
}

} // namespace livesock
