#include "supervisor/agent/wire.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::string_literals;
using namespace std::string_view_literals;

TEST_CASE("numbers are big-endian and unsigned") {
    WireReader reader("\xff\x80\x00\x00\x01\xff\xff\xff\xff"sv);
    CHECK(reader.byte() == 0xff);
    CHECK(reader.uint32() == 0x80000001);
    CHECK(reader.uint32() == 0xffffffff);
    CHECK(reader.at_end());
}

TEST_CASE("a string is its length and its bytes, whatever they are") {
    const std::string bytes = "\0\0\0\3a\0b\0\0\0\0"s;
    WireReader reader(bytes);
    CHECK(reader.string() == "a\0b"sv);
    CHECK(reader.string() == ""sv);
    CHECK(reader.at_end());
}

TEST_CASE("a string is a view into the input") {
    const std::string bytes = "\0\0\0\1x"s;
    CHECK(WireReader(bytes).string()->data() == bytes.data() + 4);
}

TEST_CASE("what is truncated gives nothing and does not move the reader") {
    for (const std::string_view bytes :
         {""sv, "\0"sv, "\0\0"sv, "\0\0\0"sv, "\0\0\0\1"sv, "\0\0\0\5abcd"sv, "\xff\xff\xff\xff-"sv}) {
        CAPTURE(bytes.size());
        WireReader reader(bytes);
        CHECK(!reader.string());
        CHECK(reader.rest() == bytes);
        CHECK(reader.rest().data() == bytes.data());
    }
    WireReader three("\1\2\3"sv);
    CHECK(!three.uint32());
    CHECK(three.rest().size() == 3);
    CHECK(three.byte() == 1);
    WireReader none(""sv);
    CHECK(!none.byte());
    CHECK(none.at_end());
}

TEST_CASE("bytes behind what was read are left, and seen") {
    WireReader reader("\0\0\0\1ab"sv);
    CHECK(reader.string() == "a"sv);
    CHECK(!reader.at_end());
    CHECK(reader.rest() == "b"sv);
}

TEST_CASE("what is written is read again") {
    const std::string bytes =
        WireWriter().byte(7).uint32(0xfedcba98).string("").string("a\0b"sv).bytes();
    CHECK(bytes == "\7\xfe\xdc\xba\x98\0\0\0\0\0\0\0\3a\0b"s);
    WireReader reader(bytes);
    CHECK(reader.byte() == 7);
    CHECK(reader.uint32() == 0xfedcba98);
    CHECK(reader.string() == ""sv);
    CHECK(reader.string() == "a\0b"sv);
    CHECK(reader.at_end());
}
