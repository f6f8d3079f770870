// Which of the agent's keys signs.
#pragma once

#include "supervisor/agent/identities.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// The key that a client asks for: by its fingerprint, or as a whole. Both empty: any.
struct WantedKey {
    std::string fingerprint; ///< "SHA256:...", of a certificate too that of its key
    std::string blob;
};

/// What `text` asks for: a fingerprint, or a line of authorized_keys(5); nothing if it is neither,
/// or of a key that cannot make such signatures.
[[nodiscard]] std::optional<WantedKey> parse_wanted_key(std::string_view text);

/// Whether the key `wanted` may be asked for where only `allowed` (fingerprints; none: all) sign.
[[nodiscard]] bool is_allowed(const WantedKey& wanted, std::span<const std::string> allowed);

/// The one of `identities` that signs: the wanted one, else the first that is allowed. A
/// certificate, which has its key's fingerprint, is it only if it is wanted as a whole. Null if
/// there is none.
[[nodiscard]] const Identity* choose_key(const std::vector<Identity>& identities,
                                         const WantedKey& wanted,
                                         std::span<const std::string> allowed);

} // namespace livesock
