// Whatever an agent answers: its list of identities is refused, or is exactly what was sent.
#include "supervisor/agent/identities.hpp"
#include "supervisor/agent/public_key.hpp"
#include "supervisor/agent/wire.hpp"

#include <cstdint>
#include <cstdlib>

using namespace livesock;

namespace {

void require(bool claim) {
    if (!claim)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view contents(reinterpret_cast<const char*>(data), size);
    const std::string frame = make_frame(MessageType::identities_answer, contents);
    const auto identities = parse_identities(Message(frame));
    if (!identities)
        return 0;
    require(identities->size() <= most_identities);
    WireWriter again;
    again.uint32(static_cast<std::uint32_t>(identities->size()));
    for (const Identity& identity : *identities) {
        again.string(identity.blob).string(identity.comment);
        require(key_type(identity.blob).size() <= identity.blob.size());
        require(fingerprint(identity.blob).size() == 50);
    }
    require(again.bytes() == contents);
    return 0;
}
