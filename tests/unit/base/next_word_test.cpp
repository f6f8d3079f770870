#include "supervisor/base/next_word.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("words are taken from the front, whatever blanks are between them") {
    std::string_view text = " \tone two\t three ";
    CHECK(next_word(text) == "one");
    CHECK(next_word(text) == "two");
    CHECK(text == "\t three ");
    CHECK(next_word(text) == "three");
    CHECK(next_word(text).empty());
    CHECK(text.empty());
    CHECK(next_word(text).empty());
}
