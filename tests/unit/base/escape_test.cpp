#include "supervisor/base/escape.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("what can be shown stays as it is") {
    for (const char* text : {"", "/tmp/ssh-x/agent.1", "a b~", "caf\xc3\xa9", "\xe2\x82\xac",
                             "\xf0\x9f\x94\x91", "\xc2\xa0", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
        CHECK(escaped(text) == text);
}

TEST_CASE("what ends a line or drives a terminal is written out") {
    CHECK(escaped("a\nb\tc\\d") == "a\\nb\\tc\\\\d");
    CHECK(escaped("\x1b[31m\r\x7f") == "\\x1b[31m\\x0d\\x7f");
    CHECK(escaped(std::string_view("a\0b", 3)) == "a\\x00b");
    // C1 controls, as UTF-8 and as bare bytes.
    CHECK(escaped("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");
    CHECK(escaped("\x9b") == "\\x9b");
}

TEST_CASE("what makes text look like another is written out") {
    for (const char* text :
         {"\xd8\x9c", "\xe2\x80\x8b", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xae",
          "\xe2\x81\xa0", "\xe2\x81\xa6", "\xe2\x81\xaf", "\xef\xbb\xbf"})
        CHECK(escaped(text).starts_with("\\x"));
    CHECK(escaped("a\xe2\x80\xae"
                  "b") == "a\\xe2\\x80\\xaeb");
    for (const char* text : {"\xd8\x9b", "\xe2\x80\x8a", "\xe2\x80\x90", "\xe2\x80\xa7",
                             "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe2\x81\xb0", "\xef\xbb\xbe"})
        CHECK(escaped(text) == text);
}

TEST_CASE("bytes that are not UTF-8 are written out, one by one") {
    SUBCASE("truncated") {
        CHECK(escaped("a\xc3") == "a\\xc3");
        CHECK(escaped("\xe2\x82") == "\\xe2\\x82");
        CHECK(escaped("\xf0\x9f\x94") == "\\xf0\\x9f\\x94");
        CHECK(escaped("\xe2\x82"
                      "a") == "\\xe2\\x82a");
    }
    SUBCASE("overlong") {
        CHECK(escaped("\xc0\x8a") == "\\xc0\\x8a");
        CHECK(escaped("\xe0\x80\x8a") == "\\xe0\\x80\\x8a");
        CHECK(escaped("\xf0\x80\x80\x8a") == "\\xf0\\x80\\x80\\x8a");
    }
    SUBCASE("surrogates and what lies beyond U+10FFFF") {
        CHECK(escaped("\xed\xa0\x80") == "\\xed\\xa0\\x80");
        CHECK(escaped("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
        CHECK(escaped("\xf5\xff\xfe") == "\\xf5\\xff\\xfe");
    }
}

TEST_CASE("what has been escaped is made safe without escaping it twice") {
    CHECK(printable("'a\\\\b' is no agent\n") == "'a\\\\b' is no agent\\n");
    CHECK(printable("\x1b[2J\xff") == "\\x1b[2J\\xff");
    CHECK(printable(std::string(10'000, 'x')).size() == 10'000);
}

TEST_CASE("what is too long is cut, between characters") {
    CHECK(escaped("abcdef", 6) == "abcdef");
    CHECK(escaped("abcdefg", 6) == "abcdef...");
    CHECK(escaped("\xc3\xa9\xc3\xa9\xc3\xa9", 3) == "\xc3\xa9\xc3\xa9...");
    CHECK(escaped("\n\n\n", 3) == "\\n\\n...");
    CHECK(escaped(std::string(10'000, '\n')).size() <= 512 + 3);
}
