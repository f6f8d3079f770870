#include "tools/setup_diff.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

std::string diff(std::optional<std::string_view> before, std::optional<std::string_view> after) {
    return unified_diff(View{}, "f", before, after);
}

} // namespace

TEST_CASE("a difference is one hunk with three lines around it") {
    CHECK(diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\nnew\n7\n8\n9\n") ==
          "--- f\n+++ f\n@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-6\n+new\n 7\n 8\n 9\n");
    CHECK(diff("a\n", "a\nb\n") == "--- f\n+++ f\n@@ -1,1 +1,2 @@\n a\n+b\n");
}

TEST_CASE("a side that does not exist is /dev/null") {
    CHECK(diff(std::nullopt, "a\n") == "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
    CHECK(diff("a\n", std::nullopt) == "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
}

TEST_CASE("nothing is said where nothing differs") {
    CHECK(diff("a", "a").empty());
    CHECK(diff(std::nullopt, std::nullopt).empty());
}

TEST_CASE("a missing final newline is told") {
    CHECK(diff("a", "a\nb\n") == "--- f\n+++ f\n@@ -1,1 +1,2 @@\n-a\n"
                                 "\\ No newline at end of file\n+a\n+b\n");
}

TEST_CASE("lines that repeat are counted once") {
    CHECK(diff("a\na\n", "a\na\na\n") == "--- f\n+++ f\n@@ -1,2 +1,3 @@\n a\n a\n+a\n");
    CHECK(diff("a\na\na\n", "a\na\n") == "--- f\n+++ f\n@@ -1,3 +1,2 @@\n a\n a\n-a\n");
}

TEST_CASE("control characters do not reach the terminal") {
    CHECK(diff("", "\033[31m\x7f\tx\r\n") ==
          "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+\\x1b[31m\\x7f\tx\\x0d\n");
    // C1, as it is in UTF-8 and raw; and what turns the writing direction.
    CHECK(diff("", "\t\xc2\x9bm\t\t\x9bm\t\xe2\x80\xae\xc3\xbc\\\n") ==
          "--- f\n+++ f\n@@ -0,0 +1,1 @@\n"
          "+\t\\xc2\\x9bm\t\t\\x9bm\t\\xe2\\x80\\xae\xc3\xbc\\\n");
}
