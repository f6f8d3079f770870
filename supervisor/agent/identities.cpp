#include "supervisor/agent/identities.hpp"

#include "supervisor/agent/wire.hpp"

#include <sodium.h>

namespace livesock {

std::optional<std::vector<Identity>> parse_identities(const Message& answer) {
    if (answer.type() != MessageType::identities_answer)
        return std::nullopt;
    WireReader reader(answer.contents());
    const std::optional<std::uint32_t> count = reader.uint32();
    if (!count || *count > most_identities)
        return std::nullopt;
    std::vector<Identity> identities;
    for (std::uint32_t i = 0; i < *count; ++i) {
        const std::optional<std::string_view> blob = reader.string();
        const std::optional<std::string_view> comment = reader.string();
        if (!blob || !comment)
            return std::nullopt;
        identities.push_back({std::string(*blob), std::string(*comment)});
    }
    if (!reader.at_end())
        return std::nullopt;
    return identities;
}

std::string_view key_type(std::string_view blob) {
    return WireReader(blob).string().value_or("");
}

std::string fingerprint(std::string_view blob) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(blob.data()), blob.size());
    char text[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
    sodium_bin2base64(text, sizeof text, hash, sizeof hash,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    return std::string("SHA256:") + text;
}

} // namespace livesock
