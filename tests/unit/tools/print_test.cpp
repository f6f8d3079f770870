#include "tools/print.hpp"

#include <doctest/doctest.h>

using namespace livesock;

TEST_CASE("columns are counted by characters") {
    CHECK(columns("abc") == 3);
    CHECK(columns("Zoë") == 3);
    CHECK(columns("") == 0);
}

TEST_CASE("a long path is cut in its middle") {
    CHECK(cut_middle("/short", 20) == "/short");
    CHECK(cut_middle("/tmp/ssh-XXXXabcdefgh/agent.1234", 20) == "/tmp/ssh...gent.1234");
    CHECK(cut_middle("abcdef", 6) == "abcdef");
    CHECK(cut_middle("abcdefg", 6) == "a...fg");
    CHECK(cut_middle("abcdefg", 3) == "...");
    CHECK(cut_middle("abcdefg", 2) == "..");
    CHECK(cut_middle("abcdefg", 0).empty());
}

TEST_CASE("a cut falls between characters") {
    CHECK(cut_middle("ééééééé", 5) == "é...é");
}

TEST_CASE("the home directory is shown as a tilde") {
    const View view{.home = "/home/zoe"};
    CHECK(shown_path(view, "/home/zoe/.ssh/agent") == "~/.ssh/agent");
    CHECK(shown_path(view, "/home/zoe") == "~");
    CHECK(shown_path(view, "/home/zoe2/x") == "/home/zoe2/x");
    CHECK(shown_path(view, "/tmp/\033[31m") == "/tmp/\\x1b[31m");
    CHECK(shown_path(View{.home = "/"}, "/tmp") == "/tmp");
    CHECK(shown_path(View{}, "/tmp") == "/tmp");
}

TEST_CASE("text is wrapped at blanks") {
    CHECK(wrapped("one two three", 2, 9) == "  one two\n  three\n");
    CHECK(wrapped("one two three", 0, 0) == "one two three\n");
    CHECK(wrapped("averylongword b", 0, 5) == "averylongword\nb\n");
}

TEST_CASE("colours are there only if wanted") {
    CHECK(coloured(View{.colour = true}, Colour::red, "x") == "\033[31mx\033[0m");
    CHECK(coloured(View{.colour = true}, Colour::none, "x") == "x");
    CHECK(coloured(View{.colour = true}, Colour::bold, "").empty());
    CHECK(coloured(View{}, Colour::red, "x") == "x");
}

TEST_CASE("a table aligns its columns, and colours take no room in it") {
    Table table({Align::left, Align::right, Align::left});
    table.add({{"NAME"}, {"N"}, {"PATH"}});
    table.add({{"Zoë", Colour::green}, {"12"}, {"/x"}});
    table.add_note("asleep", 1);
    CHECK(table.text(View{}) == "NAME   N  PATH\n"
                                "Zoë   12  /x\n"
                                "      asleep\n");
    CHECK(table.text(View{.colour = true}) == "NAME   N  PATH\n"
                                              "\033[32mZoë\033[0m   12  /x\n"
                                              "      asleep\n");
}

TEST_CASE("the last column is cut to the width") {
    Table table({Align::left, Align::left});
    table.add({{"a"}, {"/a/path/that/is/rather/longer/than/the/line"}});
    CHECK(table.text(View{.width = 30}) == "a  /a/path/that...han/the/line\n");
    CHECK(table.text(View{.width = 10}) == "a  /a/path/.../the/line\n");
}
