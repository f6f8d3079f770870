#include "supervisor/agent/identities.hpp"
#include "supervisor/agent/public_key.hpp"

#include "supervisor/agent/wire.hpp"

#include <array>

#include <doctest/doctest.h>
#include <sodium.h>

using namespace livesock;
using namespace std::string_view_literals;

namespace {

std::optional<std::vector<Identity>> parse(std::string_view contents,
                                           MessageType type = MessageType::identities_answer) {
    const std::string frame = make_frame(type, contents);
    return parse_identities(Message(frame));
}

std::string two_keys() {
    return WireWriter()
        .uint32(2)
        .string("blob 1")
        .string("ann@desk")
        .string("blob 2")
        .string("")
        .bytes();
}

/// The public key that ssh-keygen wrote as base64.
std::string blob_of(std::string_view base64) {
    std::array<unsigned char, 1024> bytes{};
    std::size_t length = 0;
    REQUIRE(sodium_base642bin(bytes.data(), bytes.size(), base64.data(), base64.size(), nullptr,
                              &length, nullptr, sodium_base64_VARIANT_ORIGINAL) == 0);
    return {reinterpret_cast<const char*>(bytes.data()), length};
}

const char* const known_key =
    "AAAAC3NzaC1lZDI1NTE5AAAAIP8BkAsBPvo8FEkYJ5Lfz77rDlLTzfbR8WP2fcrXunRO";

} // namespace

TEST_CASE("an answer gives each key with its comment, in order") {
    const auto identities = parse(two_keys());
    REQUIRE(identities);
    REQUIRE(identities->size() == 2);
    CHECK((*identities)[0].blob == "blob 1");
    CHECK((*identities)[0].comment == "ann@desk");
    CHECK((*identities)[1].blob == "blob 2");
    CHECK((*identities)[1].comment.empty());
}

TEST_CASE("an agent may have no keys") {
    REQUIRE(parse("\0\0\0\0"sv));
    CHECK(parse("\0\0\0\0"sv)->empty());
}

TEST_CASE("an answer that is cut anywhere is malformed") {
    const std::string whole = two_keys();
    for (std::size_t length = 0; length < whole.size(); ++length)
        CHECK_MESSAGE(!parse(whole.substr(0, length)), length);
}

TEST_CASE("an answer with trailing bytes is malformed") {
    CHECK(!parse(two_keys() + '\0'));
    CHECK(!parse("\0\0\0\0\0"sv));
}

TEST_CASE("a count that lies is malformed") {
    for (const std::uint32_t count : {0U, 1U, 3U, 2048U, 2049U, 0x40000000U, 0xffffffffU}) {
        CAPTURE(count);
        CHECK(!parse(WireWriter().uint32(count).bytes() + two_keys().substr(4)));
    }
}

TEST_CASE("as many identities as OpenSSH takes are believed, and no more") {
    const auto answer_with = [](std::size_t count) {
        WireWriter contents;
        contents.uint32(static_cast<std::uint32_t>(count));
        for (std::size_t i = 0; i < count; ++i)
            contents.string("k").string("");
        return contents.bytes();
    };
    REQUIRE(parse(answer_with(most_identities)));
    CHECK(parse(answer_with(most_identities))->size() == most_identities);
    CHECK(!parse(answer_with(most_identities + 1)));
}

TEST_CASE("only an identities answer holds identities") {
    CHECK(!parse(two_keys(), MessageType::success));
    CHECK(!parse("", MessageType::failure));
}

TEST_CASE("a key says its type; one that is malformed says nothing") {
    CHECK(key_type(blob_of(known_key)) == "ssh-ed25519");
    CHECK(key_type("") == "");
    CHECK(key_type("\0\0\0\x0bssh-ed2551"sv) == "");
}

TEST_CASE("a fingerprint is the one that ssh-keygen shows") {
    CHECK(fingerprint(blob_of(known_key)) == "SHA256:Usrrdlh3dKRwPqQDpSV4iMSxkLqsTRMUB1ZKnKJ5hFo");
    CHECK(fingerprint("") == "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
}
