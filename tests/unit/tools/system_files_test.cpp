#include "tools/system_files.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

std::vector<TextFile> no_files(const std::string&) {
    return {};
}

std::int64_t forbidden_at(const char* text, const Includer& included = no_files) {
    const auto line = forbidding_line({"/etc/ssh/sshd_config", text}, included);
    return line ? line->number : 0;
}

std::size_t restricted(const char* text) {
    return restricted_keys({"keys", text}).size();
}

std::size_t rivals(const char* text) {
    return rival_lines({".bashrc", text}).size();
}

} // namespace

TEST_CASE("sshd forbids by the first value that stands there for everybody") {
    CHECK(forbidden_at("") == 0);
    CHECK(forbidden_at("#AllowAgentForwarding no\n") == 0);
    CHECK(forbidden_at("Port 22\nAllowAgentForwarding no\n") == 2);
    CHECK(forbidden_at("allowagentforwarding = \"NO\"\n") == 1);
    CHECK(forbidden_at("AllowAgentForwarding local\n") == 1);
    CHECK(forbidden_at("AllowAgentForwarding yes\nAllowAgentForwarding no\n") == 0);
    CHECK(forbidden_at("Match User x\nAllowAgentForwarding no\n") == 0);
    CHECK(forbidden_at("DisableForwarding yes\n") == 1);
    CHECK(forbidden_at("AllowAgentForwarding no") == 1);
    CHECK(forbidden_at("AllowAgentForwarding") == 0);
}

TEST_CASE("files that sshd includes stand where they are named") {
    std::vector<std::string> asked;
    const Includer included = [&](const std::string& pattern) -> std::vector<TextFile> {
        asked.push_back(pattern);
        if (pattern == "match")
            return {{"/m", "Match User x\nAllowAgentForwarding no\n"}};
        if (pattern == "loop")
            return {{"/l", "Include loop\n"}};
        return {{"/a", "\n"}, {"/b", "\nAllowAgentForwarding no\n"}};
    };
    const TextFile config{"/c", "Include \"/x y/*\" two\nAllowAgentForwarding yes\n"};
    const auto line = forbidding_line(config, included);
    REQUIRE(line);
    CHECK(line->file == "/b");
    CHECK(line->number == 2);
    CHECK(line->text == "AllowAgentForwarding no");
    CHECK(asked == std::vector<std::string>{"/x y/*", "two"});
    CHECK(forbidden_at("AllowAgentForwarding yes\nInclude two\n", included) == 0);
    CHECK(forbidden_at("Include match\nDisableForwarding yes\n", included) == 2);
    CHECK(forbidden_at("Include loop\nDisableForwarding yes\n", included) == 2);
}

TEST_CASE("keys are restricted by their options, not by their comments") {
    CHECK(restricted("ssh-ed25519 AAAA no-agent-forwarding\n") == 0);
    CHECK(restricted("no-agent-forwarding ssh-ed25519 AAAA x\n") == 1);
    CHECK(restricted("command=\"a, restrict ,b\",no-pty ssh-rsa AAAA\n") == 0);
    CHECK(restricted("Restrict,pty sk-ssh-ed25519@openssh.com AAAA\n# restrict x\n") == 1);
    CHECK(restricted("restrict,agent-forwarding ssh-rsa AAAA\n") == 0);
    CHECK(restricted("command=\"unterminated") == 0);
    CHECK(restricted("") == 0);
}

TEST_CASE("clean-up by age is told from directories that are only made") {
    const auto ageing = [](const char* text) { return ageing_of("/tmp", {{"f", text}}); };
    CHECK(ageing("q /tmp 1777 root root 10d\n").lines.size() == 1);
    CHECK(ageing("D! /tmp 1777 root root 0\n").lines.size() == 1);
    CHECK(ageing("D /tmp 1777 root root -\n").lines.empty());
    CHECK(ageing("D /tmp 1777 root root\n").lines.empty());
    CHECK(ageing("q /var/tmp 1777 root root 30d\nL /tmp x x x 10d\n").lines.empty());
    CHECK(ageing("# q /tmp 1777 root root 10d\n\nq\n").lines.empty());
    CHECK(ageing("x /tmp/ssh-*\nX /tmp/a\nx /var/tmp/b\n").kept ==
          std::vector<std::string>{"/tmp/ssh-*", "/tmp/a"});
}

TEST_CASE("logind ends what a login has started by the last line that says so") {
    const auto killing = [](const char* user, const char* first, const char* second = "") {
        const auto line = killing_line(user, {{"a", first}, {"b", second}});
        return line ? line->file + ':' + std::to_string(line->number) : "";
    };
    CHECK(killing("zoe", "[Login]\nKillUserProcesses=yes\n") == "a:2");
    CHECK(killing("zoe", "KillUserProcesses=no\n", "#x\n KillUserProcesses = On \n") == "b:2");
    CHECK(killing("zoe", "KillUserProcesses=yes\n", "KillUserProcesses=no\n").empty());
    CHECK(killing("zoe", "#KillUserProcesses=yes\n").empty());
    CHECK(killing("zoe", "KillUserProcesses\n").empty());
    CHECK(killing("zoe", "").empty());
    SUBCASE("but not what root has, or another who is excepted") {
        constexpr const char* kills = "KillUserProcesses=1\n";
        CHECK(killing("root", kills).empty());
        CHECK(killing("root", kills, "KillExcludeUsers=\n") == "a:1");
        CHECK(killing("zoe", kills, "KillExcludeUsers=max zoe\n").empty());
        CHECK(killing("zoe", kills, "KillOnlyUsers=max\n").empty());
        CHECK(killing("max", kills, "KillOnlyUsers=zoe\nKillOnlyUsers=max\n") == "a:1");
    }
}

TEST_CASE("a line stands alone unless it is a part of a command of several lines") {
    for (const char* line :
         {"eval $(ssh-agent -s)", "export SSH_AUTH_SOCK=/x", "set -gx SSH_AUTH_SOCK /x",
          "test -e /x && export SSH_AUTH_SOCK=/x", "eval `keychain --eval iffy`", ""})
        CHECK_MESSAGE(stands_alone(line), line);
    for (const char* line :
         {"if true; then eval $(ssh-agent)", "eval $(ssh-agent); fi", "eval $(ssh-agent) \\",
          "eval $(ssh-agent) &&", "*) eval $(ssh-agent) ;;", "agent() { eval $(ssh-agent)",
          "while eval $(ssh-agent); do", "ssh-agent |", "else eval `ssh-agent`"})
        CHECK_MESSAGE(!stands_alone(line), line);
}

TEST_CASE("lines that set the variable are rivals, those that ask for it are not") {
    for (const char* line :
         {"export SSH_AUTH_SOCK=/x", "eval $(ssh-agent -s)", "eval `ssh-agent`",
          "setenv SSH_AUTH_SOCK /x", "set -gx SSH_AUTH_SOCK /x", "eval $(keychain --eval id_rsa)",
          "  export SSH_AUTH_SOCK=$(gpgconf --list-dirs agent-ssh-socket)"})
        CHECK_MESSAGE(rivals(line) == 1, line);
    for (const char* line :
         {"# export SSH_AUTH_SOCK=/x", "echo $SSH_AUTH_SOCK", "eval \"$(livesock env)\"",
          "[ -z \"$SSH_AUTH_SOCK\" ] && eval $(ssh-agent)", "set -e SSH_AUTH_SOCK",
          "export SSH_AUTH_SOCK=${SSH_AUTH_SOCK:-/x}", "unset SSH_AUTH_SOCK", "pgrep ssh-agent",
          ": # eval $(ssh-agent)", ""})
        CHECK_MESSAGE(rivals(line) == 0, line);
    const auto found = rival_lines({".bashrc", "one\n\n  eval $(ssh-agent)\r\n"});
    REQUIRE(found.size() == 1);
    CHECK(found[0].number == 3);
    CHECK(found[0].text == "eval $(ssh-agent)");
}
