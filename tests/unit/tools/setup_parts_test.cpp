#include "tools/setup_parts.hpp"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

/// A home directory with these files.
Surroundings home_with(std::set<std::string> files) {
    Surroundings around;
    around.home = "/home/me";
    around.config_home = "/home/me/.config";
    around.zdotdir = "/home/me";
    around.login_shell = "/bin/bash";
    around.program = "/usr/bin/livesock";
    around.supervisor = "/usr/bin/livesockd";
    around.shim = "/usr/lib/livesock/liblivesock.so";
    around.directory = "/home/me/.local/state/livesock/host";
    around.exists = [files = std::move(files)](const std::string& path) {
        return files.count(path) > 0;
    };
    return around;
}

PlannedFile only_file(Part part, const Surroundings& around) {
    const Result<std::vector<PlannedFile>> files = planned_files(part, around);
    REQUIRE(files);
    REQUIRE(files->size() == 1);
    return files->front();
}

std::string code_of(const PlannedFile& file) {
    std::string out;
    for (const std::string& line : file.section.lines)
        out += line.starts_with('#') ? "" : line + '\n';
    return out;
}

} // namespace

TEST_CASE("parts have names") {
    for (const Part part : all_parts())
        CHECK(part_called(name_of(part)) == part);
    CHECK(!part_called("ksh"));
}

TEST_CASE("bash gets the one of its login files that it reads") {
    CHECK(only_file(Part::bash, home_with({})).path == "/home/me/.profile");
    CHECK(only_file(Part::bash, home_with({"/home/me/.profile"})).path == "/home/me/.profile");
    CHECK(only_file(Part::bash, home_with({"/home/me/.profile", "/home/me/.bash_login"})).path ==
          "/home/me/.bash_login");
    CHECK(
        only_file(Part::bash, home_with({"/home/me/.bash_login", "/home/me/.bash_profile"})).path ==
        "/home/me/.bash_profile");
}

TEST_CASE("tmux gets the file that it has") {
    const std::string other = "/home/me/.config/tmux/tmux.conf";
    CHECK(only_file(Part::tmux, home_with({})).path == "/home/me/.tmux.conf");
    CHECK(only_file(Part::tmux, home_with({other})).path == other);
    CHECK(only_file(Part::tmux, home_with({other, "/home/me/.tmux.conf"})).path ==
          "/home/me/.tmux.conf");
}

TEST_CASE("a livesock that every shell finds is called by its name, another one by its path") {
    Surroundings around = home_with({});
    CHECK(code_of(only_file(Part::zsh, around)) ==
          "if command -v livesock >/dev/null 2>&1; then eval \"$(livesock env -s --keep-own)\"; "
          "fi\n");
    SUBCASE("in the home directory it is found by way of $HOME") {
        around.program = "/home/me/.local/bin/livesock";
        for (const Part part : {Part::bash, Part::csh, Part::fish, Part::tmux})
            CHECK(code_of(only_file(part, around)).find("\"$HOME\"/.local/bin/livesock env") !=
                  std::string::npos);
    }
    SUBCASE("an awkward path is quoted") {
        around.program = "/opt/it's/livesock";
        CHECK(code_of(only_file(Part::bash, around)).find("'/opt/it'\\''s/livesock' env") !=
              std::string::npos);
        CHECK(code_of(only_file(Part::fish, around)).find("'/opt/it\\'s/livesock' env") !=
              std::string::npos);
    }
}

TEST_CASE("every section says where it comes from, and is found again") {
    const Surroundings around = home_with({});
    for (const Part part : all_parts()) {
        CAPTURE(name_of(part));
        const Result<std::vector<PlannedFile>> files = planned_files(part, around);
        REQUIRE(files);
        const std::vector<std::string> possible = possible_files(part, around);
        for (const PlannedFile& file : *files) {
            CHECK(file.section.lines.front().find("livesock setup --undo") != std::string::npos);
            CHECK(std::find(possible.begin(), possible.end(), file.path) != possible.end());
        }
    }
}

TEST_CASE("screen and systemd are not given paths that they would misread") {
    Surroundings around = home_with({});
    around.directory = "/home/me/$x/run";
    CHECK(!planned_files(Part::screen, around));
    CHECK(!planned_files(Part::systemd, around));
    around = home_with({});
    around.shim.clear();
    CHECK(!planned_files(Part::screen, around));
}

TEST_CASE("units are written only where the service manager does not find them") {
    Surroundings around = home_with({});
    CHECK(planned_files(Part::systemd, around)->size() == 5);
    around.has_units = true;
    CHECK(planned_files(Part::systemd, around)->size() == 3);
}

TEST_CASE("a new ~/.ssh/rc passes the X11 cookie on, one that is there does that itself") {
    const Section section = only_file(Part::ssh_rc, home_with({})).section;
    CHECK(with_section("", section, NewFile{})->find("xauth") != std::string::npos);
    CHECK(with_section("", section)->find("xauth") == std::string::npos);
}

TEST_CASE("the login shell is set up, and what has files") {
    CHECK(usual_parts(home_with({})) == std::vector{Part::bash});
    CHECK(usual_parts(home_with({"/home/me/.zshrc", "/home/me/.tcshrc", "/home/me/.screenrc"})) ==
          std::vector{Part::bash, Part::zsh, Part::csh, Part::screen});
    Surroundings around = home_with({"/home/me/.config/fish/config.fish"});
    around.login_shell = "/usr/bin/zsh";
    around.has_tmux = true;
    CHECK(usual_parts(around) == std::vector{Part::zsh, Part::fish, Part::tmux});
    around.login_shell = "/usr/bin/tcsh";
    CHECK(usual_parts(around) == std::vector{Part::fish, Part::csh, Part::tmux});
}

TEST_CASE("login shells that a part is for are known") {
    for (const char* shell : {"", "/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish",
                              "/bin/tcsh", "dash", "/bin/ksh"})
        CHECK_MESSAGE(is_known_shell(shell), shell);
    for (const char* shell : {"/usr/bin/nu", "/usr/bin/xonsh", "/usr/sbin/nologin"})
        CHECK_MESSAGE(!is_known_shell(shell), shell);
}

TEST_CASE("ZDOTDIR is read out of ~/.zshenv where that is plain") {
    const auto in = [](std::string_view text) { return zdotdir_in(text, "/h", "/h/.config"); };
    CHECK(in("export ZDOTDIR=\"$HOME/.config/zsh\"\n") == "/h/.config/zsh");
    CHECK(in("ZDOTDIR=~/.zsh/; export ZDOTDIR") == "/h/.zsh");
    CHECK(in("export ZDOTDIR=${XDG_CONFIG_HOME:-$HOME/.config}/zsh\n") == "/h/.config/zsh");
    CHECK(in("ZDOTDIR='/etc/z'\n") == "/etc/z");
    CHECK(in("ZDOTDIR=$(somewhere)\n") == std::nullopt);
    CHECK(in("ZDOTDIR=$DOT/zsh\n") == std::nullopt);
    CHECK(in("ZDOTDIR=") == std::nullopt);
    CHECK(in("") == std::nullopt);
}
