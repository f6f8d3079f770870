// Public keys as blobs (RFC 4253, section 6.6), as lines of authorized_keys, and in certificates.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// The key that `blob` is, or that the certificate `blob` is about (PROTOCOL.certkeys); nothing if
/// it is malformed, or of a type that makes no SSHSIG signatures.
[[nodiscard]] std::optional<std::string> plain_key(std::string_view blob);

/// The name of the signature algorithm that an SSHSIG signature of the key `blob` must have: RSA
/// with SHA-512, else the type of its plain_key(). Empty where that is nothing.
[[nodiscard]] std::string_view sshsig_algorithm(std::string_view blob);

/// What ssh-keygen -l shows: "SHA256:" and the unpadded base64 of the hash of the plain_key(), or
/// of the blob itself where there is none. So a certificate has the fingerprint of its key.
[[nodiscard]] std::string fingerprint(std::string_view blob);

/// Whether fingerprint() could have written `text`.
[[nodiscard]] bool is_fingerprint(std::string_view text);

/// "TYPE BASE64", as in authorized_keys(5).
[[nodiscard]] std::string key_line(std::string_view blob);

/// The blob in a line "TYPE BASE64 [COMMENT]" whose type is the blob's own; nothing if it is not
/// one.
[[nodiscard]] std::optional<std::string> parse_key_line(std::string_view line);

} // namespace livesock
