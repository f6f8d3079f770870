#include "tools/setup_section.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

const Section section{Placement::end, {"# why", "eval x"}};

constexpr char written[] = "# >>> livesock setup >>>\n"
                           "# why\n"
                           "eval x\n"
                           "# <<< livesock setup <<<\n";

std::string with(std::string_view text, const Section& wanted = section) {
    const Result<std::string> out = with_section(text, wanted);
    REQUIRE(out);
    return *out;
}

std::string without(std::string_view text) {
    const Result<Removed> out = without_section(text);
    REQUIRE(out);
    return out->text;
}

std::string error_of(std::string_view text) {
    const Result<std::string> out = with_section(text, section);
    return out ? std::string() : out.error().message;
}

} // namespace

TEST_CASE("a section stands at the end, and taking it out gives back every byte") {
    CHECK(with("a\n") == std::string("a\n") + written);
    for (const char* text : {"",
                             "\n",
                             "a",
                             "a\n",
                             "a\n\n",
                             "a\r\n",
                             "a\r\nb",
                             "\r\n",
                             "a\nb\r\n",
                             "a\r\nb\n",
                             "\r",
                             "a\r",
                             " \t",
                             "# comment",
                             "\xff\xfe bytes\n",
                             "# >>> livesock\n",
                             "a\n\n\n#\n",
                             "exec zsh",
                             "exec zsh\n",
                             "x\n[ -t 0 ] && exec fish\n\n",
                             "if a; then\n  exec b\nfi\n",
                             "run '~/.tmux/plugins/tpm/tpm'",
                             "# Last:\nrun-shell ~/.tmux/plugins/tpm/tpm\n",
                             "a\\\n",
                             "a \\\nrun ~/tpm/tpm"}) {
        for (const Placement placement :
             {Placement::end, Placement::before_exec, Placement::before_plugins}) {
            CAPTURE(std::string(text));
            CAPTURE(int(placement));
            const Result<std::string> changed = with_section(text, {placement, section.lines});
            if (!changed) {
                CHECK(changed.error().message.find("backslash") != std::string::npos);
                continue;
            }
            CHECK(has_section(*changed));
            CHECK(without(*changed) == text);
            CHECK(with(*changed, {placement, section.lines}) == *changed);
        }
    }
}

TEST_CASE("a file without a final newline gets one, and loses it again only if it ends there") {
    const std::string changed = with("a");
    CHECK(changed.starts_with("a\n# >>> livesock setup >>> (newline added)\n"));
    CHECK(without(changed) == "a");
    CHECK(without(changed + "b\n") == "a\nb\n");
}

TEST_CASE("a CRLF file stays one, and its shell sees no CR") {
    const std::string changed = with("a\r\nb");
    CHECK(changed == "a\r\nb\r\n# >>> livesock setup >>> (newline added)\r\n# why\r\neval x #\r\n"
                     "# <<< livesock setup <<<\r\n");
    CHECK(without(changed) == "a\r\nb");
}

TEST_CASE("a section that is there is replaced where it stands") {
    const std::string old = "a\n# >>> livesock setup >>> (newline added)\nold\nolder\n"
                            "# <<< livesock setup <<<\nb\n";
    CHECK(with(old) == "a\n# >>> livesock setup >>> (newline added)\n# why\neval x\n"
                       "# <<< livesock setup <<<\nb\n");
    CHECK(without(with(old)) == "a\nb\n");
}

TEST_CASE("what was changed around a section stays") {
    const std::string changed = "new\n" + with("a\n") + "newer\n";
    CHECK(without(changed) == "new\na\nnewer\n");
}

TEST_CASE("a file that was made for the section is told from one that was empty") {
    const Result<std::string> made = with_section("", section, NewFile{2});
    REQUIRE(made);
    const Result<Removed> removed = without_section(*made);
    REQUIRE(removed);
    REQUIRE(removed->made);
    CHECK(removed->made->directories == 2);
    CHECK(!without_section(with(""))->made);
    CHECK(without_section(*with_section("", section, NewFile{}))->made->directories == 0);
    SUBCASE("but not when something else is in it by now") {
        CHECK(!without_section(*made + "more\n")->made);
    }
    SUBCASE("and a marker is not believed every number") {
        CHECK(without_section("# >>> livesock setup >>> (new file, new directories: 4000000000)\n"
                              "# <<< livesock setup <<<\n")
                  ->made->directories <= 9);
        CHECK(without_section("# >>> livesock setup >>> (new file, new directories: x)\n"
                              "# <<< livesock setup <<<\n")
                  ->made->directories == 0);
    }
}

TEST_CASE("what only a new file needs stays in it") {
    const Section longer{Placement::end, {"a"}, {"b"}};
    const std::string made = *with_section("", longer, NewFile{1});
    CHECK(made.find("\na\nb\n# <<<") != std::string::npos);
    CHECK(with(made, longer) == made);
    CHECK(with("", longer).find("\nb\n") == std::string::npos);
}

TEST_CASE("markers without their counterpart are an error with the line") {
    CHECK(error_of("a\n# >>> livesock setup >>>\n").find("line 2") != std::string::npos);
    CHECK(error_of("# <<< livesock setup <<<\n").find("line 1") != std::string::npos);
    CHECK(error_of(std::string(written) + written).find("line 5") != std::string::npos);
    CHECK(error_of("# >>> livesock setup >>>\n# >>> livesock setup >>>\n"
                   "# <<< livesock setup <<<\n")
              .find("line 2") != std::string::npos);
    CHECK(!without_section("# >>> livesock setup >>>\n"));
}

TEST_CASE("what is no text, or ends within a command, is an error") {
    CHECK(error_of(std::string("a\0b\n", 4)) == "it is no text");
    CHECK(error_of("export A=b \\\n").find("backslash") != std::string::npos);
    CHECK(error_of("export A=b \\") != "");
    CHECK(error_of("echo '\\\\'\n").empty());
    CHECK(error_of("echo \\\\\n").empty());
}

TEST_CASE("a section stands before what becomes another program, and is brought there") {
    const Section shell{Placement::before_exec, section.lines};
    const std::string right = std::string("a\n") + written + "# go\n[ -t 1 ] && exec tmux\n\n";
    CHECK(with("a\n# go\n[ -t 1 ] && exec tmux\n\n", shell) == right);
    CHECK(with("a\n# go\n[ -t 1 ] && exec tmux\n\n" + std::string(written), shell) == right);
    SUBCASE("and leaves no newline behind that was added for it") {
        const std::string changed = with(with("exec zsh"), shell);
        CHECK(changed == std::string(written) + "exec zsh");
        CHECK(without(changed) == "exec zsh");
    }
    SUBCASE("but stays where it stands further up, or where nothing is certain") {
        for (const std::string& text :
             {written + std::string("a\nexec zsh\n"), "exec zsh\n" + std::string(written) + "a\n",
              "a() {\n  exec b\n}\n" + std::string(written)}) {
            CAPTURE(text);
            CHECK(with(text, shell) == text);
        }
    }
    SUBCASE("and what only a new file needs goes with it") {
        const Section longer{Placement::before_exec, {"a"}, {"b"}};
        const std::string made = *with_section("", longer, NewFile{1});
        CHECK(with("exec zsh\n" + made, longer) == made + "exec zsh\n");
    }
}

TEST_CASE("a line that may leave before the section is told") {
    CHECK(line_that_leaves("a\nif b; then\n  exec c\nfi\n") == 3);
    CHECK(line_that_leaves("a\n" + std::string(written) + "exec zsh\n") == std::nullopt);
    CHECK(line_that_leaves("exec 3>&1\n# exec zsh\n") == std::nullopt);
}

TEST_CASE("a section stands before tmux's plugin manager and its comment") {
    const Section tmux{Placement::before_plugins, section.lines};
    CHECK(with("set -g a b\n\n# keep this last\nrun '~/.tmux/plugins/tpm/tpm'\n", tmux) ==
          std::string("set -g a b\n\n") + written +
              "# keep this last\nrun '~/.tmux/plugins/tpm/tpm'\n");
    CHECK(with("# run ~/.tmux/plugins/tpm/tpm\n", tmux) ==
          std::string("# run ~/.tmux/plugins/tpm/tpm\n") + written);
    CHECK(with("run ~/tpm/tpm", tmux) == std::string(written) + "run ~/tpm/tpm");
}

TEST_CASE("a call of `livesock env` by hand is seen, outside of sections and comments") {
    CHECK(is_set_up_by_hand("a\neval \"$(livesock env)\"\n"));
    CHECK(is_set_up_by_hand("  livesock env --fish | source"));
    CHECK(!is_set_up_by_hand("# eval \"$(livesock env)\"\n"));
    CHECK(!is_set_up_by_hand("# >>> livesock setup >>>\neval \"$(livesock env)\"\n"
                             "# <<< livesock setup <<<\n"));
    CHECK(is_set_up_by_hand("# >>> livesock setup >>>\n# <<< livesock setup <<<\nlivesock env\n"));
}
