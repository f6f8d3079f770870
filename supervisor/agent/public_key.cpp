#include "supervisor/agent/public_key.hpp"

#include "supervisor/agent/base64.hpp"
#include "supervisor/agent/identities.hpp"
#include "supervisor/agent/message.hpp"
#include "supervisor/agent/wire.hpp"

#include <algorithm>
#include <iterator>

#include <sodium.h>

namespace livesock {
namespace {

/// A type of key, and of its certificates, which have a nonce and then the key's own fields.
struct KeyType {
    std::string_view name;
    std::string_view certificate;
    int fields; ///< strings (or mpints, which look the same) behind the name
    std::string_view algorithm;
};

constexpr std::string_view hash_name = "SHA256:";
constexpr std::size_t hash_digits = 43;

constexpr KeyType key_types[] = {
    {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", 1, "ssh-ed25519"},
    {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com", 2, "rsa-sha2-512"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", 2, "ecdsa-sha2-nistp256"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com", 2, "ecdsa-sha2-nistp384"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", 2, "ecdsa-sha2-nistp521"},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", 2,
     "sk-ssh-ed25519@openssh.com"},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 3,
     "sk-ecdsa-sha2-nistp256@openssh.com"},
};

const KeyType* type_of(std::string_view blob) {
    const std::string_view name = key_type(blob);
    const auto* const found =
        std::find_if(std::begin(key_types), std::end(key_types), [&](const KeyType& type) {
            return type.name == name || type.certificate == name;
        });
    return found == std::end(key_types) ? nullptr : found;
}

} // namespace

std::optional<std::string> plain_key(std::string_view blob) {
    const KeyType* const type = type_of(blob);
    if (type == nullptr)
        return std::nullopt;
    WireReader reader(blob);
    const bool is_certificate = reader.string() == type->certificate;
    if (is_certificate && !reader.string()) // the nonce
        return std::nullopt;
    WireWriter plain;
    plain.string(type->name);
    for (int i = 0; i < type->fields; ++i) {
        const std::optional<std::string_view> field = reader.string();
        if (!field)
            return std::nullopt;
        plain.string(*field);
    }
    // Behind the key's fields a certificate has those of its own.
    if (reader.at_end() == is_certificate)
        return std::nullopt;
    return plain.bytes();
}

std::string_view sshsig_algorithm(std::string_view blob) {
    return plain_key(blob) ? type_of(blob)->algorithm : std::string_view();
}

std::string fingerprint(std::string_view blob) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    const std::string key = plain_key(blob).value_or(std::string(blob));
    crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(key.data()), key.size());
    char text[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
    sodium_bin2base64(text, sizeof text, hash, sizeof hash,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    return std::string(hash_name) + text;
}

bool is_fingerprint(std::string_view text) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return text.size() == hash_name.size() + hash_digits && text.starts_with(hash_name) &&
           text.find_first_not_of(digits, hash_name.size()) == std::string_view::npos;
}

std::string key_line(std::string_view blob) {
    return std::string(key_type(blob)) + ' ' + to_base64(blob);
}

std::optional<std::string> parse_key_line(std::string_view line) {
    if (line.size() > longest_message)
        return std::nullopt;
    const std::string_view type = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(line.size(), type.size() + 1));
    std::optional<std::string> blob = from_base64(line.substr(0, line.find(' ')));
    return blob && !type.empty() && key_type(*blob) == type ? blob : std::nullopt;
}

} // namespace livesock
