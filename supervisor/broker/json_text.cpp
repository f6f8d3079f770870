#include "supervisor/broker/json_text.hpp"

#include <nlohmann/json.hpp>

namespace livesock {
namespace {

using nlohmann::json;

/// Looks at brackets and commas alone: of what is no JSON, the parser says so.
bool is_too_large(std::string_view text, int deepest, int most_values) {
    int depth = 0;
    int values = 1;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string && c == '\\')
            ++i;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            ++depth;
        else if (!in_string && (c == '}' || c == ']'))
            --depth;
        values += !in_string && (c == ',' || c == '{' || c == '[') ? 1 : 0;
        if (depth > deepest || values > most_values)
            return true;
    }
    return false;
}

} // namespace

json parse_object(std::string_view text, int deepest, int most_values) {
    if (is_too_large(text, deepest, most_values))
        return json(json::value_t::discarded);
    json parsed = json::parse(text, nullptr, /* allow_exceptions */ false);
    return parsed.is_object() ? std::move(parsed) : json(json::value_t::discarded);
}

std::optional<std::string> text_member(const json& object, const char* name) {
    const auto member = object.find(name);
    if (member == object.end() || !member->is_string())
        return std::nullopt;
    return member->get<std::string>();
}

std::string json_text(const json& value) {
    return value.dump(-1, ' ', /* ensure_ascii */ true, json::error_handler_t::replace);
}

} // namespace livesock
