#include "supervisor/base/process_files.hpp"

#include "tests/support/temp_dir.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <unistd.h>

using namespace livesock;
using namespace std::literals;

TEST_CASE("The first variable of that very name counts") {
    const std::string_view bytes = "XNAME=0\0NAMES=1\0NAME=first\0NAME=second\0"sv;
    CHECK(variable_in(bytes, "NAME") == "first");
    CHECK(variable_in(bytes, "NAMES") == "1");
    CHECK_FALSE(variable_in(bytes, "NAM"));
    CHECK_FALSE(variable_in(bytes, ""));
}

TEST_CASE("A variable may be empty, or the block cut short within it") {
    CHECK(variable_in("NAME=\0"sv, "NAME") == "");
    CHECK(variable_in("A=1\0NAME=cut"sv, "NAME") == "cut");
    CHECK_FALSE(variable_in("A=1\0NAME"sv, "NAME"));
    CHECK_FALSE(variable_in({}, "NAME"));
    CHECK(variable_in("\0\0NAME=x\0"sv, "NAME") == "x");
}

TEST_CASE("a process is known by its name, its parent and its terminal") {
    const auto facts = parse_process("42 (git) S 7 42 42 34816 42 4194304 1 2");
    REQUIRE(facts);
    CHECK(facts->program == "git");
    CHECK(facts->parent == 7);
    CHECK(facts->group == 42);
    CHECK(facts->has_terminal);
    CHECK(!parse_process("42 (git) S 7 42 42 0 -1 4194304")->has_terminal);
    CHECK(!facts->is_stopped);
    CHECK(parse_process("42 (git) T 7 42 42 0 -1 4194304")->is_stopped);
    CHECK(parse_process("42 (git) t 7 42 42 0 -1 4194304")->is_stopped);
}

TEST_CASE("a name may hold blanks and parentheses") {
    const auto facts = parse_process("42 (a) S 1) R 7 42 42 0 -1 0");
    REQUIRE(facts);
    CHECK(facts->program == "a) S 1");
    CHECK(facts->parent == 7);
}

TEST_CASE("what is no such line says nothing") {
    for (const char* text :
         {"", "42", "42 (git", "42 git) S 1", ")(", "42 (git)", "42 (git) S", "42 (git) S 7 42",
          "42 (git) S 7 42 42", "42 (git) S a b c d", "42 (git) S 99999999999 1 1 1"})
        CHECK(!parse_process(text));
}

TEST_CASE("of a process that is there its group is known, and of one that is not nothing") {
    const auto facts = process_facts(::getpid());
    REQUIRE(facts);
    CHECK(facts->program == "unit-base");
    CHECK(facts->parent == ::getppid());
    CHECK(facts->group == ::getpgrp());
    CHECK(!process_facts(0));
    CHECK(!process_facts(-1));
}

TEST_CASE("a symlink is told, and what is none is empty") {
    const TempDir temp;
    std::filesystem::create_symlink("/some/where", temp.entry("link"));
    CHECK(link_at(temp.entry("link")) == "/some/where");
    CHECK(link_at(temp.write("file", "")).empty());
    CHECK(link_at(temp.entry("none")).empty());
}

TEST_CASE("of an environment nothing is known where there is no process") {
    CHECK(environment_of(::getpid()).find('=') != std::string::npos);
    CHECK(environment_of(0).empty());
}
