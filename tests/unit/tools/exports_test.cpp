#include "tools/exports.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

constexpr const char* shim = "/usr/lib/livesock/liblivesock.so";

} // namespace

TEST_CASE("the shell is told from its name") {
    CHECK(shell_called("/bin/bash") == Shell::posix);
    CHECK(shell_called("/usr/bin/zsh") == Shell::posix);
    CHECK(shell_called("/bin/csh") == Shell::csh);
    CHECK(shell_called("tcsh") == Shell::csh);
    CHECK(shell_called("/usr/local/bin/fish") == Shell::fish);
    CHECK(shell_called("/opt/fish/sh") == Shell::posix);
    CHECK(shell_called("") == Shell::posix);
}

TEST_CASE("a word is quoted for sh") {
    CHECK(quoted(Shell::posix, "/a b$c`d\"e\\!") == "'/a b$c`d\"e\\!'");
    CHECK(quoted(Shell::posix, "it's\nso") == "'it'\\''s\nso'");
    CHECK(quoted(Shell::posix, "") == "''");
}

TEST_CASE("a word is quoted for csh") {
    CHECK(quoted(Shell::csh, "/a $b") == "'/a $b'");
    CHECK(quoted(Shell::csh, "it's!") == "'it'\\''s'\\!''");
    CHECK(quoted(Shell::csh, "a\nb") == "'a\\\nb'");
}

TEST_CASE("a word is quoted for fish") {
    CHECK(quoted(Shell::fish, "/a $b") == "'/a $b'");
    CHECK(quoted(Shell::fish, "it's a\\b") == "'it\\'s a\\\\b'");
}

TEST_CASE("variables are exported in the words of the shell") {
    const Variables variables{{"A", "1"}, {"B", "x y"}};
    CHECK(export_commands(Shell::posix, variables) == "export A='1';\nexport B='x y';\n");
    CHECK(export_commands(Shell::csh, variables) == "setenv A '1';\nsetenv B 'x y';\n");
    CHECK(export_commands(Shell::fish, variables) == "set -gx A '1';\nset -gx B 'x y';\n");
}

TEST_CASE("a variable is set and taken away as a person would type it") {
    CHECK(export_command(Shell::posix, "A", "/x") == "export A=/x");
    CHECK(export_command(Shell::csh, "A", "/x") == "setenv A /x");
    CHECK(export_command(Shell::fish, "A", "/x") == "set -gx A /x");
    CHECK(unset_command(Shell::posix, "A") == "unset A");
    CHECK(unset_command(Shell::csh, "A") == "unsetenv A");
    CHECK(unset_command(Shell::fish, "A") == "set -e A");
}

TEST_CASE("tmux is told of all variables at once") {
    using Words = std::vector<std::string>;
    CHECK(tmux_command({{"A", "1"}, {"B", "x y;"}}) == Words{"tmux", "set-environment", "-g", "A",
                                                             "1", ";", "set-environment", "-g", "B",
                                                             "x y\\;"});
}

TEST_CASE("the shim is preloaded after what is preloaded already, and once") {
    CHECK(composed_preload("", shim) == shim);
    CHECK(composed_preload("/lib/a.so", shim) == std::string("/lib/a.so:") + shim);
    CHECK(composed_preload("/lib/a.so b.so", shim) == std::string("/lib/a.so:b.so:") + shim);
    CHECK(composed_preload(shim, shim) == shim);
    CHECK(composed_preload(std::string(shim) + ":/lib/a.so:" + shim, shim) ==
          std::string(shim) + ":/lib/a.so");
    CHECK(composed_preload("::", shim) == shim);
}

TEST_CASE("another copy of the shim gives way") {
    CHECK(composed_preload("/build/preload/liblivesock.so:/lib/a.so", shim) ==
          std::string("/lib/a.so:") + shim);
}

TEST_CASE("a path that ld.so would take for several is not preloaded") {
    CHECK(can_be_preloaded(shim));
    CHECK(!can_be_preloaded("/home/a b/liblivesock.so"));
    CHECK(!can_be_preloaded("/home/a:b/liblivesock.so"));
    CHECK(!can_be_preloaded("liblivesock.so"));
    CHECK(!can_be_preloaded(""));
}

TEST_CASE("ASan is told to bear the preload, unless it has been told something") {
    CHECK(composed_asan_options("") == "verify_asan_link_order=0");
    CHECK(composed_asan_options("detect_leaks=1") == "detect_leaks=1:verify_asan_link_order=0");
    CHECK(composed_asan_options("a=1:verify_asan_link_order=1") == "a=1:verify_asan_link_order=1");
    CHECK(composed_asan_options("verify_asan_link_order=0,b=1") == "verify_asan_link_order=0,b=1");
    CHECK(composed_asan_options("log_path=verify_asan_link_order") ==
          "log_path=verify_asan_link_order:verify_asan_link_order=0");
}
