#include "supervisor/agent/framer.hpp"

#include "supervisor/agent/wire.hpp"

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::string_literals;

// What the program allocates at once is watched: a length field must not be believed.
namespace {
std::size_t largest_allocation = 0;
}

// Not inlined: g++ 12 would take the pair for mismatched where it sees one half of it.
[[gnu::noinline]] void* operator new(std::size_t size) {
    largest_allocation = std::max(largest_allocation, size);
    if (void* const memory = std::malloc(size != 0 ? size : 1))
        return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

/// Everything that comes out when `pieces` go in one after the other.
std::vector<std::string> frames_of(Framer& framer, const std::vector<std::string>& pieces) {
    std::vector<std::string> frames;
    for (const std::string& piece : pieces) {
        std::string_view input = piece;
        while (const std::optional<Message> message = framer.next(input))
            frames.emplace_back(message->frame());
        if (!framer.malformed())
            CHECK(input.empty());
    }
    return frames;
}

std::string length_of(std::uint32_t length) {
    return WireWriter().uint32(length).bytes();
}

const std::string list = "\0\0\0\1\13"s;
const std::string sign = make_frame(MessageType::sign_request, "0123456789");
const std::string stream_of_three = list + sign + list;

} // namespace

TEST_CASE("several messages in one input come out one by one, in order") {
    Framer framer;
    CHECK(frames_of(framer, {stream_of_three}) == std::vector{list, sign, list});
    CHECK(!framer.in_message());
}

TEST_CASE("messages come out whole however the stream is cut in two or three") {
    for (std::size_t i = 0; i <= stream_of_three.size(); ++i)
        for (std::size_t j = i; j <= stream_of_three.size(); ++j) {
            CAPTURE(i);
            CAPTURE(j);
            Framer framer;
            CHECK(frames_of(framer, {stream_of_three.substr(0, i), stream_of_three.substr(i, j - i),
                                     stream_of_three.substr(j)}) == std::vector{list, sign, list});
            CHECK(!framer.in_message());
        }
}

TEST_CASE("messages come out whole when the stream comes byte by byte") {
    Framer framer;
    std::vector<std::string> bytes;
    for (const char c : stream_of_three)
        bytes.emplace_back(1, c);
    CHECK(frames_of(framer, bytes) == std::vector{list, sign, list});
    CHECK(!framer.in_message());
}

TEST_CASE("a message is begun from its first byte to its last but one") {
    Framer framer;
    for (std::size_t i = 0; i < sign.size(); ++i) {
        CAPTURE(i);
        CHECK(framer.in_message() == (i > 0));
        std::string_view input = std::string_view(sign).substr(i, 1);
        CHECK(framer.next(input).has_value() == (i + 1 == sign.size()));
    }
    CHECK(!framer.in_message());
}

TEST_CASE("a whole message is not copied") {
    Framer framer;
    const std::string bytes = sign;
    std::string_view input = bytes;
    CHECK(framer.next(input)->frame().data() == bytes.data());
}

TEST_CASE("a message of two inputs is valid until the next call") {
    Framer framer;
    std::string first = sign.substr(0, 7);
    std::string second = sign.substr(7) + list;
    std::string_view input = first;
    CHECK(!framer.next(input));
    first.assign(first.size(), '#');
    input = second;
    const std::optional<Message> message = framer.next(input);
    REQUIRE(message);
    CHECK(message->frame() == sign);
    CHECK(input == list);
}

TEST_CASE("a message of no bytes is malformed, and so is all that follows") {
    Framer framer;
    CHECK(frames_of(framer, {list + length_of(0) + list, list}) == std::vector{list});
    CHECK(framer.malformed());
}

TEST_CASE("a malformed length is met in any piece of it") {
    for (std::size_t cut = 0; cut <= 4; ++cut) {
        CAPTURE(cut);
        Framer framer;
        const std::string zero = length_of(0);
        CHECK(frames_of(framer, {zero.substr(0, cut), zero.substr(cut) + "x"}).empty());
        CHECK(framer.malformed());
    }
}

TEST_CASE("three bytes of a length are not judged yet") {
    Framer framer;
    CHECK(frames_of(framer, {"\xff\xff\xff"}).empty());
    CHECK(!framer.malformed());
    CHECK(framer.in_message());
}

TEST_CASE("the longest message passes, one byte more does not") {
    const std::string longest = length_of(longest_message) + std::string(longest_message, 'x');
    Framer framer;
    CHECK(frames_of(framer, {longest}) == std::vector{longest});
    CHECK(frames_of(framer, {longest.substr(0, 100'000), longest.substr(100'000) + list}) ==
          std::vector{longest, list});
    CHECK(!framer.malformed());

    const std::string too_long = length_of(longest_message + 1) + std::string(longest_message + 1, 'x');
    CHECK(frames_of(framer, {too_long}).empty());
    CHECK(framer.malformed());
}

TEST_CASE("what a length field claims costs no memory") {
    const std::vector<std::uint32_t> lengths = {longest_message, 0x40000000, 0x7fffffff, 0xffffffff};
    for (const std::uint32_t length : lengths) {
        CAPTURE(length);
        const std::string begun = length_of(length) + "some bytes of it, more than a short string";
        for (const std::size_t cut : {std::size_t{2}, begun.size()}) {
            Framer framer;
            largest_allocation = 0;
            std::string_view first = std::string_view(begun).substr(0, cut);
            std::string_view second = std::string_view(begun).substr(cut);
            CHECK(!framer.next(first));
            CHECK(!framer.next(second));
            CHECK(largest_allocation < 1024);
            CHECK(framer.malformed() == (length > longest_message));
        }
    }
}

TEST_CASE("the memory of a long message is given back with the next call") {
    const std::string longest = length_of(longest_message) + std::string(longest_message, 'x');
    Framer framer;
    CHECK(frames_of(framer, {longest.substr(0, 10), longest.substr(10)}).size() == 1);
    largest_allocation = 0;
    CHECK(frames_of(framer, {sign.substr(0, 10), sign.substr(10)}) == std::vector{sign});
    CHECK(largest_allocation < longest_message);
}
