#include "supervisor/daemon/toml_depth.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace livesock;

namespace {

/// A key of `parts` parts, as text.
std::string key_of(int parts, std::string_view separator = ".") {
    std::string key = "a";
    while (--parts > 0)
        key.append(separator) += "a";
    return key;
}

const std::string deep_line = key_of(most_dots_in_key + 2) + " = 1\n";

} // namespace

TEST_CASE("a key has at most so many parts") {
    CHECK_FALSE(find_deep_key(key_of(most_dots_in_key + 1) + " = 1"));
    CHECK(find_deep_key(key_of(most_dots_in_key + 2) + " = 1") == TextPosition{1, 34});
    CHECK(find_deep_key("\n\n [" + key_of(most_dots_in_key + 2) + "]") == TextPosition{3, 36});
    CHECK(find_deep_key(key_of(most_dots_in_key + 2, " . ")));
    CHECK(find_deep_key(key_of(most_dots_in_key + 2, ".'=#\n")));
    CHECK(find_deep_key(key_of(most_dots_in_key + 2, ".\"=\\\"#\".")));
}

TEST_CASE("dots of several keys are not added up") {
    std::string text;
    for (int i = 0; i < 100; ++i)
        text += "[a.b.c]\nd.e = {f.g = [1.5, 2.5], h.i = 3}\n";
    CHECK_FALSE(find_deep_key(text));
}

TEST_CASE("dots in strings and comments are nobody's business") {
    const std::string dots(100, '.');
    for (const char* quote : {"'", "\"", "'''", "\"\"\""})
        CHECK_FALSE(find_deep_key("a = " + (quote + dots) + quote));
    CHECK_FALSE(find_deep_key("# '" + dots));
    CHECK_FALSE(find_deep_key("a = \"\\\"" + dots + "\""));
    CHECK_FALSE(find_deep_key("a = '''\n'" + dots + "\n''" + dots + "''''"));
    CHECK_FALSE(find_deep_key("a = \"\"\"\\\"\"\"" + dots + "\"\"\""));
}

TEST_CASE("nothing before it hides a deep key") {
    for (const char* before : {"b = ''\n", "b = '\\'\n", "b = \"\\\"\"\n", "b = '''\n'''\n",
                               "b = ''''\n''''', ", "b = \"\"\"\\\"\"\"\"\", ", "# '\n",
                               "# \"\"\"\n", "b = '\n", "b = \"\n", "b = ['', \"\", {"})
        CHECK_MESSAGE(find_deep_key(before + deep_line), std::string(before));
}

TEST_CASE("a text that ends in the middle of something is read to its end") {
    for (const char* text : {"", "'", "\"\\", "'''", "\"\"\"\\", "#", "a.", "\"\"\"\"", "'''''''"})
        CHECK_FALSE(find_deep_key(text));
}
