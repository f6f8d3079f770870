#include "supervisor/broker/envelope.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/broker/json_text.hpp"
#include "supervisor/broker/text_forms.hpp"
#include "supervisor/http/status.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace livesock {
namespace {

using nlohmann::json;

struct TypeName {
    std::string_view name;
    EnvelopeType type;
};
constexpr TypeName types[] = {
    {"request", EnvelopeType::request},
    {"response", EnvelopeType::response},
    {"event", EnvelopeType::event},
};

std::string_view name_of(EnvelopeType type) {
    for (const TypeName& known : types)
        if (known.type == type)
            return known.name;
    return {};
}

std::optional<EnvelopeType> type_of(const json& object) {
    const auto name = text_member(object, "type");
    for (const TypeName& known : types)
        if (name && *name == known.name)
            return known.type;
    return std::nullopt;
}

Error malformed_envelope(std::string_view what) {
    return Error{fmt::format("the message is malformed: {}", what), EBADMSG};
}

Result<void> take_sender(const json& object, Envelope& envelope) {
    const auto shed = object.find("shed");
    if (shed == object.end() || shed->is_null())
        return {};
    const auto name = shed->is_object() ? text_member(*shed, "name") : std::nullopt;
    if (!name || name->size() > longest_guest_name)
        return malformed_envelope("shed has no name, or one that is too long");
    envelope.shed = json_text(*shed);
    envelope.guest = *name;
    if (envelope.shed.size() > longest_shed)
        return malformed_envelope(fmt::format("shed is longer than {} bytes", longest_shed));
    return {};
}

/// What is wrong with the members that every envelope has; empty if nothing is.
std::string_view flaw_of(const json& object) {
    if (object.is_discarded())
        return "it is no JSON object in UTF-8, or too deep";
    if (text_member(object, "namespace") != bus_namespace)
        return "its namespace is not ssh-agent";
    if (!is_message_id(text_member(object, "id").value_or("")))
        return "its id is no UUID";
    if (!type_of(object))
        return "its type is none of request, response, event";
    if (!is_rfc3339_utc(text_member(object, "timestamp").value_or("")))
        return "its timestamp is no time of RFC 3339 in UTC";
    if (!object.contains("final") || !object["final"].is_boolean())
        return "final is neither true nor false";
    if (!object.contains("payload") || !object["payload"].is_object())
        return "its payload is no object";
    return {};
}

} // namespace

Result<Envelope> parse_envelope(std::string_view text, int most_values) {
    if (text.size() > largest_envelope)
        return malformed_envelope(fmt::format("it is larger than {} bytes", largest_envelope));
    const json object = parse_object(text, deepest_envelope, most_values);
    if (const std::string_view flaw = flaw_of(object); !flaw.empty())
        return malformed_envelope(flaw);
    Envelope envelope{.id = *text_member(object, "id"),
                      .type = *type_of(object),
                      .in_reply_to = text_member(object, "in_reply_to").value_or(""),
                      .is_final = object["final"].get<bool>(),
                      .payload = json_text(object["payload"]),
                      .shed = {},
                      .guest = {}};
    if (envelope.type == EnvelopeType::response && !is_message_id(envelope.in_reply_to))
        return malformed_envelope("it is a response, and in_reply_to is no UUID");
    if (envelope.in_reply_to == envelope.id)
        return malformed_envelope("it is a reply to itself");
    if (Result<void> taken = take_sender(object, envelope); !taken)
        return taken.error();
    return envelope;
}

std::optional<Envelope> salvage_request(std::string_view text) {
    if (text.size() > largest_envelope)
        return std::nullopt;
    const json object = parse_object(text, deepest_envelope, most_request_values);
    if (object.is_discarded() || text_member(object, "namespace") != bus_namespace ||
        type_of(object) != EnvelopeType::request)
        return std::nullopt;
    Envelope envelope{.id = text_member(object, "id").value_or(""),
                      .in_reply_to = {},
                      .payload = {},
                      .shed = {},
                      .guest = {}};
    if (!is_message_id(envelope.id) || !take_sender(object, envelope))
        return std::nullopt;
    return envelope;
}

std::string to_json(const Envelope& envelope, std::chrono::system_clock::time_point now) {
    json object = {
        {"id", envelope.id},
        {"namespace", bus_namespace},
        {"type", name_of(envelope.type)},
        {"final", envelope.is_final},
        {"timestamp", rfc3339(now)},
        {"payload", parse_object(envelope.payload, deepest_envelope, most_answer_values)}};
    if (!envelope.in_reply_to.empty())
        object["in_reply_to"] = envelope.in_reply_to;
    if (!envelope.shed.empty())
        object["shed"] = parse_object(envelope.shed, deepest_envelope, most_answer_values);
    return json_text(object);
}

Envelope response_to(const Envelope& request, std::string payload,
                     std::chrono::system_clock::time_point now) {
    return {.id = new_message_id(now),
            .type = EnvelopeType::response,
            .in_reply_to = request.id,
            .is_final = true,
            .payload = std::move(payload),
            .shed = request.shed,
            .guest = request.guest};
}

std::string publication_of(std::string_view payload) {
    return json_text({{"namespace", bus_namespace},
                      {"type", name_of(EnvelopeType::request)},
                      {"payload", parse_object(payload, deepest_envelope, most_answer_values)}});
}

std::variant<Publication, BusError> parse_publication(std::string_view text) {
    if (text.size() > largest_envelope)
        return BusError{http_status::bad_request, "INVALID_BODY",
                        fmt::format("the body is larger than {} bytes", largest_envelope)};
    const json object = parse_object(text, deepest_envelope, most_request_values);
    if (object.is_discarded())
        return BusError{http_status::bad_request, "INVALID_BODY",
                        "the body is no JSON object in UTF-8, or too deep, or of too many values"};
    const auto name_space = text_member(object, "namespace");
    if (!name_space || name_space->empty())
        return BusError{http_status::bad_request, "MISSING_NAMESPACE", "namespace is missing"};
    const auto type = type_of(object);
    if (!type || *type == EnvelopeType::response)
        return BusError{http_status::bad_request, "INVALID_TYPE",
                        "type is neither request nor event"};
    if (!object.contains("payload") || !object["payload"].is_object())
        return BusError{http_status::bad_request, "INVALID_BODY", "payload is no object"};
    return Publication{*type, *name_space, json_text(object["payload"])};
}

std::string to_json(const BusError& error) {
    return json_text({{"error", {{"code", error.code}, {"message", error.message}}}});
}

BusError parse_bus_error(int status, std::string_view text) {
    BusError error{status, {}, {}};
    const json object = parse_object(text, deepest_envelope, most_answer_values);
    if (object.is_discarded() || !object.contains("error") || !object["error"].is_object())
        return error;
    error.code = escaped(text_member(object["error"], "code").value_or(""), longest_quote);
    error.message = escaped(text_member(object["error"], "message").value_or(""), longest_quote);
    return error;
}

} // namespace livesock
