// Whatever comes over the bus: it is refused, or means the same when it is written and read again.
#include "supervisor/agent/base64.hpp"
#include "supervisor/broker/envelope.hpp"
#include "supervisor/broker/payload.hpp"
#include "supervisor/broker/text_forms.hpp"

#include <cstdint>
#include <cstdlib>

using namespace livesock;

namespace {

const auto now = std::chrono::system_clock::time_point();

void require(bool claim) {
    if (!claim)
        std::abort();
}

void try_envelope(std::string_view text) {
    static_cast<void>(salvage_request(text));
    const Result<Envelope> envelope = parse_envelope(text);
    if (!envelope)
        return;
    const Result<Envelope> again = parse_envelope(to_json(*envelope, now));
    require(again.ok());
    require(again->id == envelope->id && again->payload == envelope->payload &&
            again->guest == envelope->guest && again->shed == envelope->shed);
}

void try_payload(std::string_view text) {
    if (const Result<GuestRequest> request = parse_request(text)) {
        const Result<GuestRequest> again = parse_request(to_payload(*request));
        require(again.ok() && again->key == request->key && again->data == request->data &&
                again->flags == request->flags);
    }
    if (const Result<std::vector<Identity>> identities = parse_list_answer(text))
        require(parse_list_answer(list_payload(*identities))->size() == identities->size());
    if (const Result<Signature> signature = parse_sign_answer(text))
        require(join(*parse_sign_answer(sign_payload(*signature))) == join(*signature));
    [[maybe_unused]] const Result<void> ping = parse_ping_answer(text);
    static_cast<void>(parse_bus_error(500, text));
    if (const auto publication = parse_publication(text);
        std::holds_alternative<Publication>(publication))
        require(!std::get<Publication>(publication).name_space.empty());
}

void try_forms(std::string_view text) {
    if (const auto bytes = from_base64(text))
        require(to_base64(*bytes) == text);
    if (const auto blob = parse_public_key(text))
        require(!key_type(*blob).empty());
    if (const auto signature = split(text))
        require(join(*signature) == text);
    static_cast<void>(is_message_id(text));
    static_cast<void>(is_rfc3339_utc(text));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try_envelope(text);
    try_payload(text);
    try_forms(text);
    return 0;
}
