#include "supervisor/broker/payload.hpp"

#include "supervisor/agent/base64.hpp"
#include "supervisor/agent/message.hpp"
#include "supervisor/agent/wire.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/broker/envelope.hpp"
#include "supervisor/broker/json_text.hpp"
#include "supervisor/broker/text_forms.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace livesock {
namespace {

using nlohmann::json;

struct OperationName {
    std::string_view name;
    Operation operation;
};
constexpr OperationName operations[] = {
    {"list", Operation::list},
    {"sign", Operation::sign},
    {"ping", Operation::ping},
    {"status", Operation::status},
};

Error malformed_payload(std::string_view what) {
    return Error{fmt::format("the payload is malformed: {}", what), EBADMSG};
}

std::optional<std::string> bytes_member(const json& object, const char* name) {
    const auto text = text_member(object, name);
    return text ? from_base64(*text) : std::nullopt;
}

/// The object of an answer that is no error.
Result<json> parse_answer(std::string_view payload) {
    json object = parse_object(payload, deepest_envelope, most_answer_values);
    if (object.is_discarded())
        return malformed_payload("it is no object");
    if (!object.contains("error"))
        return object;
    return Error{fmt::format("the host says: {} ({})",
                             escaped(text_member(object, "error").value_or(""), longest_quote),
                             escaped(text_member(object, "code").value_or(""), longest_quote)),
                 EREMOTEIO};
}

Result<GuestRequest> parse_sign_request(const json& object) {
    GuestRequest request{.operation = Operation::sign, .key = {}, .data = {}, .flags = 0};
    const auto key = text_member(object, "public_key");
    std::optional<std::string> blob = key ? parse_public_key(*key) : std::nullopt;
    if (!blob)
        return malformed_payload(
            "public_key is neither base64 of a public key nor an authorized_keys "
            "line");
    std::optional<std::string> data = bytes_member(object, "data");
    if (!data)
        return malformed_payload("data is not base64");
    if (blob->size() + data->size() + 16 > longest_message)
        return malformed_payload("key and data are larger than an agent takes");
    const json flags = object.value("flags", json(0));
    if (!flags.is_number_integer() || flags < 0 ||
        flags > std::numeric_limits<std::uint32_t>::max())
        return malformed_payload("flags is no whole number of 32 bits");
    request.key = std::move(*blob);
    request.data = std::move(*data);
    request.flags = flags.get<std::uint32_t>();
    return request;
}

} // namespace

std::string_view name_of(Operation operation) {
    const auto found =
        std::find_if(std::begin(operations), std::end(operations),
                     [operation](const auto& known) { return known.operation == operation; });
    return found == std::end(operations) ? std::string_view() : found->name;
}

std::string to_payload(const GuestRequest& request) {
    json object = {{"operation", name_of(request.operation)}};
    if (request.operation == Operation::sign) {
        object["public_key"] = to_base64(request.key);
        object["data"] = to_base64(request.data);
        object["flags"] = request.flags;
    }
    return json_text(object);
}

Result<GuestRequest> parse_request(std::string_view payload) {
    const json object = parse_object(payload, deepest_envelope, most_request_values);
    if (object.is_discarded())
        return malformed_payload("it is no object");
    const auto name = text_member(object, "operation");
    const auto known =
        std::find_if(std::begin(operations), std::end(operations),
                     [&](const auto& operation) { return name && operation.name == *name; });
    if (known == std::end(operations))
        return malformed_payload("operation is none of list, sign, ping, status");
    if (known->operation == Operation::sign)
        return parse_sign_request(object);
    return GuestRequest{.operation = known->operation, .key = {}, .data = {}};
}

std::optional<Signature> split(std::string_view signature) {
    WireReader parts(signature);
    const auto format = parts.string();
    const auto blob = format ? parts.string() : std::nullopt;
    if (!blob || format->empty())
        return std::nullopt;
    return Signature{std::string(*format), std::string(*blob), std::string(parts.rest())};
}

std::string join(const Signature& signature) {
    return WireWriter().string(signature.format).string(signature.blob).bytes() + signature.rest;
}

std::string list_payload(std::span<const Identity> identities) {
    json keys = json::array();
    for (const Identity& identity : identities)
        if (is_public_key(identity.blob)) // another's garbage makes the whole list unreadable
            keys.push_back({{"format", key_type(identity.blob)},
                            {"blob", to_base64(identity.blob)},
                            {"comment", identity.comment}});
    return json_text({{"keys", std::move(keys)}});
}

std::string sign_payload(const Signature& signature) {
    return json_text({{"format", signature.format},
                      {"blob", to_base64(signature.blob)},
                      {"rest", to_base64(signature.rest)}});
}

std::string ping_payload() {
    return json_text({{"status", "ok"}});
}

std::string status_payload(bool is_local, std::size_t keys) {
    return json_text({{"connected", true},
                      {"mode", is_local ? "local-keys" : "agent-forward"},
                      {"key_count", keys}});
}

std::string error_payload(std::string_view code, std::string_view error) {
    return json_text({{"error", error}, {"code", code}});
}

Result<std::vector<Identity>> parse_list_answer(std::string_view payload) {
    const Result<json> object = parse_answer(payload);
    if (!object)
        return object.error();
    const auto keys = object->find("keys");
    if (keys == object->end() || !keys->is_array() || keys->size() > most_identities)
        return malformed_payload("keys is no array, or has too many members");
    std::vector<Identity> identities;
    std::size_t size = 0;
    for (const json& key : *keys) {
        std::optional<std::string> blob =
            key.is_object() ? bytes_member(key, "blob") : std::nullopt;
        if (!blob || !is_public_key(*blob))
            return malformed_payload("a key has no blob that is one");
        if (key.contains("format") && text_member(key, "format") != key_type(*blob))
            return malformed_payload("a key's format is not that of its blob");
        identities.push_back({std::move(*blob), text_member(key, "comment").value_or("")});
        size += identities.back().blob.size() + identities.back().comment.size() + 8;
    }
    if (size + 8 > longest_message)
        return malformed_payload("the keys are longer than an agent's answer may be");
    return identities;
}

Result<Signature> parse_sign_answer(std::string_view payload) {
    const Result<json> object = parse_answer(payload);
    if (!object)
        return object.error();
    const auto format = text_member(*object, "format");
    std::optional<std::string> blob = bytes_member(*object, "blob");
    // Left out where it is empty, by some.
    std::optional<std::string> rest =
        object->contains("rest") ? bytes_member(*object, "rest") : std::string();
    if (!format || format->empty() || !blob || blob->empty() || !rest)
        return malformed_payload("format, blob or rest is missing, or not base64");
    if (format->size() + blob->size() + rest->size() + 32 > longest_message)
        return malformed_payload("the signature is longer than an agent's answer may be");
    return Signature{*format, std::move(*blob), std::move(*rest)};
}

Result<void> parse_ping_answer(std::string_view payload) {
    const Result<json> object = parse_answer(payload);
    if (!object)
        return object.error();
    if (text_member(*object, "status") != "ok")
        return malformed_payload("status is not \"ok\"");
    return {};
}

} // namespace livesock
