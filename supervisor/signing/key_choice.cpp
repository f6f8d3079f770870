#include "supervisor/signing/key_choice.hpp"

#include "supervisor/agent/public_key.hpp"

#include <algorithm>

namespace livesock {
namespace {

bool is_among(const std::string& fingerprint, std::span<const std::string> allowed) {
    return allowed.empty() ||
           std::find(allowed.begin(), allowed.end(), fingerprint) != allowed.end();
}

bool is_wanted(const std::string& blob, const WantedKey& wanted) {
    if (!wanted.blob.empty())
        return blob == wanted.blob;
    return wanted.fingerprint.empty() || fingerprint(blob) == wanted.fingerprint;
}

} // namespace

std::optional<WantedKey> parse_wanted_key(std::string_view text) {
    if (is_fingerprint(text))
        return WantedKey{.fingerprint = std::string(text), .blob = {}};
    std::optional<std::string> blob = parse_key_line(text);
    if (!blob || sshsig_algorithm(*blob).empty())
        return std::nullopt;
    return WantedKey{.fingerprint = fingerprint(*blob), .blob = std::move(*blob)};
}

bool is_allowed(const WantedKey& wanted, std::span<const std::string> allowed) {
    return wanted.fingerprint.empty() || is_among(wanted.fingerprint, allowed);
}

const Identity* choose_key(const std::vector<Identity>& identities, const WantedKey& wanted,
                           std::span<const std::string> allowed) {
    for (const Identity& identity : identities) {
        if (sshsig_algorithm(identity.blob).empty() || !is_wanted(identity.blob, wanted) ||
            !is_among(fingerprint(identity.blob), allowed))
            continue;
        if (plain_key(identity.blob) == identity.blob || !wanted.blob.empty())
            return &identity;
    }
    return nullptr;
}

} // namespace livesock
