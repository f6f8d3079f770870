#include "tools/words.hpp"

#include <array>

#include <doctest/doctest.h>

using namespace livesock;
using Strings = std::vector<std::string>;

namespace {

constexpr std::array<std::string_view, 3> known{"start", "status", "stop"};

} // namespace

TEST_CASE("the command of run keeps all its own options") {
    SUBCASE("after --") {
        const Words words = part_words(Strings{"run", "--", "ssh", "-v", "--", "host"});
        CHECK(words.own == Strings{"run"});
        CHECK(words.command == Strings{"ssh", "-v", "--", "host"});
    }
    SUBCASE("from its first word on") {
        const Words words = part_words(Strings{"run", "ssh-add", "-l", "--help"});
        CHECK(words.own == Strings{"run"});
        CHECK(words.command == Strings{"ssh-add", "-l", "--help"});
    }
    SUBCASE("after run's own options") {
        const Words words = part_words(Strings{"run", "--help", "ssh", "--json"});
        CHECK(words.own == Strings{"run", "--help"});
        CHECK(words.command == Strings{"ssh", "--json"});
    }
    SUBCASE("a lone dash is a word") {
        CHECK(part_words(Strings{"run", "-", "x"}).command == Strings{"-", "x"});
    }
}

TEST_CASE("run without a command has none") {
    CHECK(part_words(Strings{"run"}).command.empty());
    CHECK(part_words(Strings{"run", "--"}).command.empty());
    CHECK(part_words(Strings{"run", "--"}).own == Strings{"run"});
}

TEST_CASE("the words of other commands are all ours") {
    const Strings words{"use", "run", "--", "x"};
    CHECK(part_words(words).own == words);
    CHECK(part_words(words).command.empty());
    CHECK(part_words(Strings{}).own.empty());
    CHECK(part_words(Strings{"--version"}).own == Strings{"--version"});
}

TEST_CASE("what is said about the output is taken out wherever it stands") {
    Strings words{"--quiet", "status", "--color=never", "--json", "-q", "--", "--color"};
    const OutputWords taken = take_output_words(words);
    CHECK(taken.is_quiet);
    CHECK(taken.colour == "never");
    CHECK(words == Strings{"status", "--json", "--", "--color"});
    Strings bare{"list", "--color"};
    CHECK(take_output_words(bare).colour == "always");
    CHECK(bare == Strings{"list"});
    Strings bundle{"setup", "-yq", "-qq"};
    CHECK(take_output_words(bundle).is_quiet);
    CHECK(bundle == Strings{"setup", "-y"});
    Strings none{"--colours", "--colour", "-quiet", "-", "q", "-q=1", "--q"};
    CHECK(!take_output_words(none).colour);
    CHECK(!take_output_words(none).is_quiet);
    CHECK(none.size() == 7);
}

TEST_CASE("a misspelt word is answered with the one that was meant") {
    CHECK(unknown_word("command", "staus", known, "livesock --help") ==
          "unknown command 'staus': did you mean 'status'?");
    CHECK(unknown_word("option", "--jsn=1", std::array<std::string_view, 1>{"--json"}, "h") ==
          "unknown option '--jsn=1': did you mean '--json'?");
}

TEST_CASE("a word like no other is answered with where to look") {
    CHECK(unknown_word("command", "frobnicate", known, "livesock --help") ==
          "unknown command 'frobnicate': see 'livesock --help'");
    CHECK(unknown_word("command", "\033[2J", known, "h") == "unknown command '\\x1b[2J': see 'h'");
}
