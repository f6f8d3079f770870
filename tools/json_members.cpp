#include "tools/json_members.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

namespace livesock {

Json parse_json(const std::string& text) {
    return Json::parse(text, nullptr, /* allow_exceptions */ false);
}

const Json& member(const Json& object, const char* name) {
    static const Json none;
    if (!object.is_object())
        return none;
    const auto found = object.find(name);
    return found == object.end() ? none : *found;
}

std::optional<std::string> text_in(const Json& object, const char* name) {
    const Json& value = member(object, name);
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

std::optional<double> number_in(const Json& object, const char* name) {
    const Json& value = member(object, name);
    return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

std::optional<std::int64_t> whole_in(const Json& object, const char* name) {
    constexpr double beyond = 9.2e18;
    const std::optional<double> value = number_in(object, name);
    if (!value || !(std::abs(*value) < beyond))
        return std::nullopt;
    return member(object, name).get<std::int64_t>();
}

bool truth_in(const Json& object, const char* name) {
    const Json& value = member(object, name);
    return value.is_boolean() && value.get<bool>();
}

const Json& elements_in(const Json& object, const char* name) {
    static const Json none = Json::array();
    const Json& value = member(object, name);
    return value.is_array() ? value : none;
}

std::string pretty(const Json& value) {
    return value.dump(2, ' ', /* ensure_ascii */ true, Json::error_handler_t::replace) + '\n';
}

} // namespace livesock
