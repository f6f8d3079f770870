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

TEST_CASE("a line is cut by its columns, and keeps its colours") {
    CHECK(clipped("abc", 2) == "ab");
    CHECK(clipped("abc", 0) == "abc");
    CHECK(clipped("Zoë!", 3) == "Zoë");
    CHECK(clipped("\033[31mabc\033[0m", 2) == "\033[31mab\033[0m");
    CHECK(clipped("a\033", 5) == "a\033");
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
    CHECK(table.text(View{.width = 10}) == "a  /a/pat...e/line\n");
    CHECK(table.fits(View{.width = 18}));
    CHECK(!table.fits(View{.width = 17}));
}

TEST_CASE("columns are left out whole, in their order, until the rest fits") {
    Table table({Align::left, Align::right, Align::right, Align::left});
    table.add({{"NAME"}, {"COUNT"}, {"12 ms"}, {"____"}});
    table.add_note("a note", 1);
    const auto at = [&](std::size_t width) {
        Table narrow = table;
        narrow.leave_out({3, 1, 2}, View{.width = width});
        return narrow.text(View{.width = width});
    };
    CHECK(at(0) == "NAME  COUNT  12 ms  ____\n      a note\n");
    CHECK(at(24) == at(0));
    CHECK(at(23) == "NAME  COUNT  12 ms\n      a note\n");
    CHECK(at(17) == "NAME  12 ms\n      a note\n");
    CHECK(at(10) == "NAME\n      a\n      note\n");
}
