#include "supervisor/broker/text_forms.hpp"

#include "supervisor/agent/base64.hpp"
#include "supervisor/agent/wire.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;
using std::chrono::system_clock;

TEST_CASE("a new id is a UUID of version 7, of its time") {
    const auto time = system_clock::time_point(0x0123456789ABms);
    const std::string id = new_message_id(time);
    CHECK(is_message_id(id));
    CHECK(id.substr(0, 13) == "01234567-89ab");
    CHECK(id[14] == '7');
    CHECK(std::string_view("89ab").find(id[19]) != std::string_view::npos);
    CHECK(new_message_id(time) != id);
}

TEST_CASE("an id has the form of a UUID") {
    CHECK(is_message_id("01234567-89ab-7def-8123-456789abcdef"));
    CHECK(is_message_id("01234567-89AB-4DEF-8123-456789ABCDEF"));
    for (const char* wrong :
         {"", "7", "01234567-89ab-7def-8123-456789abcde", "01234567-89ab-7def-8123-456789abcdeff",
          "01234567x89ab-7def-8123-456789abcdef", "0123456789ab-7def-8123-456789abcdef-",
          "01234567-89ab-7def-8123-456789abcdeg", "{1234567-89ab-7def-8123-456789abcde}"}) {
        CAPTURE(wrong);
        CHECK(!is_message_id(wrong));
    }
}

TEST_CASE("times are of RFC 3339, in UTC") {
    CHECK(rfc3339(system_clock::time_point(0ms)) == "1970-01-01T00:00:00.000Z");
    CHECK(rfc3339(system_clock::time_point(1767225599'007ms)) == "2025-12-31T23:59:59.007Z");
    CHECK(is_rfc3339_utc(rfc3339(system_clock::now())));
    for (const char* right : {"2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456789Z",
                              "2026-01-31t12:00:60z", "2026-01-31T12:00:00+00:00"}) {
        CAPTURE(right);
        CHECK(is_rfc3339_utc(right));
    }
    for (const char* wrong :
         {"", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00+01:00",
          "2026-13-31T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00.Z",
          "2026-1-31T12:00:00Z", "2026-01-31T12:00:00ZZ", "2026-01-31T1a:00:00Z",
          "2026-01-31T12:00:00.1"}) {
        CAPTURE(wrong);
        CHECK(!is_rfc3339_utc(wrong));
    }
}

TEST_CASE("a public key is the base64 of its blob, or a line of authorized_keys") {
    const std::string blob =
        WireWriter().string("ssh-ed25519").string(std::string(32, 'k')).bytes();
    const std::string text = to_base64(blob);
    CHECK(*parse_public_key(text) == blob);
    CHECK(*parse_public_key("ssh-ed25519 " + text) == blob);
    CHECK(*parse_public_key("ssh-ed25519 " + text + " a comment with blanks") == blob);
    CHECK(!parse_public_key(""));
    CHECK(!parse_public_key("ssh-rsa " + text));
    CHECK(!parse_public_key("ssh-ed25519 "));
    CHECK(!parse_public_key("no-pty ssh-ed25519 " + text));
    CHECK(!parse_public_key(to_base64("nothing that is a key")));
    CHECK(!parse_public_key(text + "\n"));
}
