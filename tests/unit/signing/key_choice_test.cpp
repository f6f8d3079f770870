#include "supervisor/signing/key_choice.hpp"

#include "supervisor/agent/public_key.hpp"
#include "tests/support/fake_agent.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

const std::string alice = make_blob('a');
const std::string bob = make_blob('b');
const std::string foreign = WireWriter().string("ssh-dss").string("x").bytes();

std::string certificate_of(char fill) {
    return WireWriter()
        .string("ssh-ed25519-cert-v01@openssh.com")
        .string("nonce")
        .string(std::string(32, fill))
        .string("what certificates have")
        .bytes();
}

std::string chosen(const std::vector<Identity>& identities, const WantedKey& wanted,
                   const std::vector<std::string>& allowed = {}) {
    const Identity* const identity = choose_key(identities, wanted, allowed);
    return identity == nullptr ? std::string() : identity->blob;
}

WantedKey wanted(const std::string& text) {
    return parse_wanted_key(text).value();
}

} // namespace

TEST_CASE("without a wish the first key that can sign, and may, is chosen") {
    CHECK(chosen({{foreign, ""}, {alice, ""}, {bob, ""}}, {}) == alice);
    CHECK(chosen({{alice, ""}, {bob, ""}}, {}, {fingerprint(bob)}) == bob);
    CHECK(chosen({{foreign, ""}}, {}).empty());
    CHECK(chosen({}, {}).empty());
    CHECK(chosen({{alice, ""}}, {}, {fingerprint(bob)}).empty());
}

TEST_CASE("the key that is asked for is chosen, or none") {
    for (const std::string& text : {fingerprint(bob), key_line(bob), key_line(bob) + " comment"}) {
        CHECK(chosen({{alice, ""}, {bob, ""}}, wanted(text)) == bob);
        CHECK(chosen({{alice, ""}}, wanted(text)).empty());
        CHECK(chosen({{alice, ""}, {bob, ""}}, wanted(text), {fingerprint(alice)}).empty());
        CHECK(is_allowed(wanted(text), {}));
        CHECK(is_allowed(wanted(text), std::vector{fingerprint(bob)}));
        CHECK_FALSE(is_allowed(wanted(text), std::vector{fingerprint(alice)}));
    }
    CHECK(is_allowed({}, std::vector{fingerprint(alice)}));
}

TEST_CASE("a certificate is chosen only where it is asked for as a whole") {
    const std::string certificate = certificate_of('a');
    const std::vector<Identity> both{{certificate, ""}, {alice, ""}};
    CHECK(chosen(both, {}) == alice);
    CHECK(chosen(both, wanted(fingerprint(alice))) == alice);
    CHECK(chosen(both, wanted(key_line(certificate))) == certificate);
    CHECK(chosen({{certificate, ""}}, wanted(fingerprint(alice))).empty());
    CHECK(chosen({{certificate, ""}}, wanted(key_line(alice))).empty());
    CHECK(chosen({{certificate, ""}}, {}, {fingerprint(alice)}).empty());
    CHECK(chosen({{certificate, ""}}, {}).empty());
    CHECK(chosen({{certificate, ""}, {bob, ""}}, {}) == bob);
}

TEST_CASE("what is neither a fingerprint nor a key is no wish") {
    for (const std::string& text :
         {std::string(), std::string("SHA256:"), fingerprint(alice) + "A", fingerprint(alice) + "=",
          fingerprint(alice).substr(1), std::string("MD5:00:11"), key_line(foreign), alice})
        CHECK_FALSE(parse_wanted_key(text));
}
