#include "supervisor/agent/sshsig.hpp"

#include "supervisor/agent/base64.hpp"
#include "supervisor/agent/identities.hpp"
#include "supervisor/agent/public_key.hpp"
#include "supervisor/agent/wire.hpp"
#include "supervisor/base/escape.hpp"

#include <fmt/format.h>
#include <sodium.h>

namespace livesock {
namespace {

constexpr std::string_view sshsig_magic = "SSHSIG";
constexpr std::uint32_t version = 1;
constexpr std::string_view hash_algorithm = "sha512";
constexpr std::string_view reserved = "";

constexpr std::string_view first_line = "-----BEGIN SSH SIGNATURE-----\n";
constexpr std::string_view last_line = "-----END SSH SIGNATURE-----\n";
constexpr std::size_t columns = 70;

/// RFC 8709, section 6.
constexpr std::size_t ed25519_length = 64;

/// RFC 5656, section 3.1.2: two numbers.
bool is_ecdsa(std::string_view bytes) {
    WireReader numbers(bytes);
    const std::optional<std::string_view> r = numbers.string();
    const std::optional<std::string_view> s = numbers.string();
    return r && s && !r->empty() && !s->empty() && numbers.at_end();
}

/// Whether the signature itself can be one of `algorithm`.
bool has_form(std::string_view algorithm, std::string_view bytes) {
    if (algorithm.find("ed25519") != std::string_view::npos)
        return bytes.size() == ed25519_length;
    if (algorithm.find("ecdsa") != std::string_view::npos)
        return is_ecdsa(bytes);
    return !bytes.empty(); // RSA: a number as long as the key's, of which some leave out zeros
}

/// Whether `rest`, what is behind the algorithm's name, has the form that `algorithm` gives it.
bool is_well_formed(std::string_view algorithm, WireReader rest) {
    const std::optional<std::string_view> bytes = rest.string();
    if (!bytes || !has_form(algorithm, *bytes))
        return false;
    // PROTOCOL.u2f: the key's flags and its counter follow.
    if (algorithm.starts_with("sk-") && (!rest.byte() || !rest.uint32()))
        return false;
    return rest.at_end();
}

std::string armored(std::string_view blob) {
    const std::string text = to_base64(blob);
    std::string lines(first_line);
    for (std::size_t start = 0; start < text.size(); start += columns)
        lines.append(text, start, columns) += '\n';
    return lines += last_line;
}

} // namespace

struct MessageHash::State {
    crypto_hash_sha512_state hash;
};

void MessageHash::StateDeleter::operator()(State* state) const {
    delete state;
}

MessageHash::MessageHash()
    : state_(new State) {
    crypto_hash_sha512_init(&state_->hash);
}

void MessageHash::add(std::string_view piece) {
    is_empty_ = is_empty_ && piece.empty();
    crypto_hash_sha512_update(&state_->hash, reinterpret_cast<const unsigned char*>(piece.data()),
                              piece.size());
}

std::string MessageHash::finish() {
    std::string hash(crypto_hash_sha512_BYTES, '\0');
    crypto_hash_sha512_final(&state_->hash, reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
}

std::string sshsig_data(std::string_view name_space, std::string_view hash) {
    const WireWriter fields =
        WireWriter().string(name_space).string(reserved).string(hash_algorithm).string(hash);
    return std::string(sshsig_magic) + fields.bytes();
}

Result<std::string> armored_sshsig(std::string_view key_blob, std::string_view name_space,
                                   std::string_view signature) {
    WireReader reader(signature);
    const std::string_view algorithm = reader.string().value_or("");
    const std::string_view expected = sshsig_algorithm(key_blob);
    if (expected.empty() || algorithm != expected)
        return Error{fmt::format("the agent signed with '{}', expected '{}' of a key of type '{}'",
                                 escaped(algorithm, 64), expected,
                                 escaped(key_type(key_blob), 64))};
    if (!is_well_formed(algorithm, reader))
        return Error{"the agent's signature is malformed"};
    const WireWriter fields = WireWriter()
                                  .uint32(version)
                                  .string(key_blob)
                                  .string(name_space)
                                  .string(reserved)
                                  .string(hash_algorithm)
                                  .string(signature);
    return armored(std::string(sshsig_magic) + fields.bytes());
}

} // namespace livesock
