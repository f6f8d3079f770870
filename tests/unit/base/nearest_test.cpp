#include "supervisor/base/nearest.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace livesock;

namespace {

constexpr std::string_view words[] = {"status", "start", "stop", "list", "use", "interval"};

std::string_view meant_by(std::string_view word) {
    return nearest(word, words);
}

} // namespace

TEST_CASE("a slip of the finger is understood") {
    CHECK(meant_by("statsu") == "status"); // a swap
    CHECK(meant_by("staus") == "status");  // one missing
    CHECK(meant_by("lisst") == "list");    // one too many
    CHECK(meant_by("intervak") == "interval");
    CHECK(meant_by("stop") == "stop");
}

TEST_CASE("a swap is one slip, so that it wins over two") {
    constexpr std::string_view two_slips_and_one[] = {"abxy", "abdc"};
    CHECK(nearest("abcd", two_slips_and_one) == "abdc");
}

TEST_CASE("the first of equals wins") {
    constexpr std::string_view equals[] = {"stap", "stop"};
    CHECK(nearest("step", equals) == "stap");
}

TEST_CASE("another word altogether is no slip") {
    for (const char* word : {"", "frobnicate", "x", "zzz", "intervals-of-time"})
        CHECK(meant_by(word).empty());
    CHECK(nearest("stop", {}).empty());
    CHECK(meant_by(std::string(100'000, 's')).empty());
}

TEST_CASE("a short word is no slip of many others") {
    for (const char* word : {"ls", "st", "up", "log", "s"})
        CHECK_MESSAGE(meant_by(word).empty(), word);
    CHECK(meant_by("lit") == "list");
    CHECK(meant_by("us") == "use");
}

TEST_CASE("a word is not guessed from nothing of it") {
    constexpr std::string_view shorts[] = {"-h", "a"};
    CHECK(nearest("xy", shorts).empty());
    CHECK(nearest("b", shorts).empty());
}
