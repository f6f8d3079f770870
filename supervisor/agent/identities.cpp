#include "supervisor/agent/identities.hpp"

#include "supervisor/agent/wire.hpp"

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

std::string identities_frame(const std::vector<Identity>& identities) {
    WireWriter contents;
    contents.uint32(static_cast<std::uint32_t>(identities.size()));
    for (const Identity& identity : identities)
        contents.string(identity.blob).string(identity.comment);
    return make_frame(MessageType::identities_answer, contents.bytes());
}

std::string_view key_type(std::string_view blob) {
    return WireReader(blob).string().value_or("");
}

} // namespace livesock
