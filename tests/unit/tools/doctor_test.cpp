#include "tools/doctor_checks.hpp"

#include <set>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

constexpr const char* stable = "/home/zoe/.local/state/livesock/box/agent.sock";
constexpr const char* shim = "/usr/lib/livesock/liblivesock.so";

AgentReport forwarded(const char* state, bool selected) {
    return {.path = "/tmp/ssh-a/agent.1",
            .state = state,
            .selected = selected,
            .label = "10.0.0.5 on pts/3",
            .forwarded = true};
}

/// Everything is as it should be.
DoctorFacts healthy() {
    DoctorFacts facts{.user = "zoe",
                      .home = "/home/zoe",
                      .host = "box",
                      .login = "ssh -A zoe@box",
                      .version = "1.2.3"};
    facts.livesock_dir = "/home/zoe/.local/state/livesock/box";
    facts.supervisor = {.answers = true, .pid = 4711, .version = "1.2.3"};
    facts.directory = {.path = facts.livesock_dir,
                       .preferred = facts.livesock_dir,
                       .exists = true,
                       .has_agent_socket = true};
    facts.socket = {stable, SocketState::answers, true};
    facts.preload = {.value = shim,
                     .entries = {{shim, true, true}},
                     .installed = shim,
                     .is_loaded = true,
                     .asan_options = "verify_asan_link_order=0"};
    facts.tmux = {{.path = "/t",
                   .answers = true,
                   .sessions = {{"work", facts.socket}},
                   .panes = {{"%0", "sh", facts.socket}}}};
    facts.programs = {{"ssh", false, false}};
    facts.login_state.is_ssh = true;
    facts.system.has_logind = true;
    facts.status.agent_socket = stable;
    facts.status.agents = {forwarded("live", true)};
    return facts;
}

/// The one thing that is wrong; a remedy that cures it is part of it.
Finding the_fault(const Findings& findings) {
    std::vector<Finding> faults;
    for (const Finding& finding : findings)
        if (finding.verdict == Verdict::bad)
            faults.push_back(finding);
    REQUIRE(faults.size() == 1);
    CHECK(!faults[0].remedy.empty());
    return faults[0];
}

bool is_good(const Findings& findings) {
    return findings.size() == 1 && findings[0].verdict == Verdict::good &&
           findings[0].remedy.empty();
}

bool says(const Finding& finding, const char* words) {
    return finding.text.find(words) != std::string::npos;
}

constexpr const char* env_command = "eval \"$(livesock env)\"";
constexpr const char* preload_command = "eval \"$(livesock env --preload)\"";

} // namespace

TEST_CASE("where everything is well each check says so, in order") {
    const std::vector<Finding> findings = examine(healthy());
    CHECK(is_healthy(findings));
    std::vector<std::string> checks;
    for (const Finding& finding : findings) {
        CHECK(!finding.text.empty());
        CHECK(finding.remedy.empty());
        checks.push_back(finding.check);
    }
    CHECK(checks == std::vector<std::string>{"supervisor", "directory", "config", "this shell",
                                             "tmux", "shim", "programs", "preloads", "sanitizers",
                                             "forwarding", "sleepers", "shared home", "logout",
                                             "clean-up", "other tools", "versions"});
}

TEST_CASE("where nothing is known no check fails to say something") {
    for (const Finding& finding : examine(DoctorFacts{})) {
        CHECK(!finding.text.empty());
        CHECK(finding.remedy.empty() == (finding.verdict != Verdict::bad));
    }
}

TEST_CASE("a supervisor that does not run is started") {
    DoctorFacts facts = healthy();
    facts.supervisor = {};
    CHECK(the_fault(check_supervisor(facts)).remedy == "livesock start");
    SUBCASE("one that hangs is ended first") {
        facts.supervisor = {.is_there = true, .pid = 99};
        CHECK(the_fault(check_supervisor(facts)).remedy == "kill -9 99; livesock start");
    }
    SUBCASE("one that a signal has stopped goes on") {
        facts.supervisor = {.is_there = true, .is_stopped = true, .pid = 99};
        CHECK(the_fault(check_supervisor(facts)).remedy == "kill -CONT 99");
    }
    SUBCASE("one that cannot run is started when what is in its way is cured") {
        facts.directory.fault = DirectoryFault::mode;
        CHECK(check_supervisor(facts)[0].verdict == Verdict::none);
        CHECK(says(check_supervisor(facts)[0], "none is running: see the directory"));
        CHECK(the_fault(check_directory(facts)).remedy ==
              "chmod 700 /home/zoe/.local/state/livesock/box && livesock start");
    }
    SUBCASE("of two things in its way the last one is followed by the start") {
        facts.directory.fault = DirectoryFault::mode;
        facts.config = {.path = "/c", .state = ConfigState::unusable, .problem = "it is wrong"};
        CHECK(says(check_supervisor(facts)[0], "see the directory"));
        CHECK(the_fault(check_directory(facts)).remedy ==
              "chmod 700 /home/zoe/.local/state/livesock/box");
        CHECK(the_fault(check_config(facts)).remedy == "chmod u+rw,o-w /c && livesock start");
    }
}

TEST_CASE("a directory that is none of livesock's is not touched") {
    DoctorFacts facts = healthy();
    facts.supervisor = {};
    facts.directory = {.path = "/etc",
                       .fault = DirectoryFault::variable,
                       .problem = "LIVESOCK_DIR is '/etc': it holds something else"};
    CHECK(the_fault(check_directory(facts)).remedy == "unset LIVESOCK_DIR && livesock start");
}

TEST_CASE("what has the names of the directory is moved away") {
    DoctorFacts facts = healthy();
    facts.directory.obstacles = {{"/d/control.sock", "/d/control.sock.old", "socket"}};
    const Finding running = the_fault(check_directory(facts));
    CHECK(says(running, "/d/control.sock is no socket of yours"));
    CHECK(running.remedy == "mv /d/control.sock /d/control.sock.old && livesock restart");
    facts.directory.obstacles.push_back({"/d/log", "/d/log.old.2", "file"});
    facts.supervisor = {};
    const Finding none_runs = the_fault(check_directory(facts));
    CHECK(says(none_runs, "/d/control.sock is no socket of yours, /d/log is no file of yours"));
    CHECK(none_runs.remedy ==
          "mv /d/control.sock /d/control.sock.old && mv /d/log /d/log.old.2 && livesock start");
    CHECK(says(check_supervisor(facts)[0], "see the directory"));
    facts.directory.obstacles = {{.path = "/d/log", .is_closed = true}};
    const Finding closed = the_fault(check_directory(facts));
    CHECK(says(closed, "/d/log is closed to you"));
    CHECK(closed.remedy == "chmod u+rw /d/log && livesock start");
}

TEST_CASE("a configuration that is refused is mended where it is wrong") {
    DoctorFacts facts = healthy();
    CHECK(check_config(facts)[0].verdict == Verdict::none);
    facts.config = {.path = "/home/zoe/a b.toml", .state = ConfigState::right};
    CHECK(is_good(check_config(facts)));
    facts.status.is_config_changed = true;
    CHECK(the_fault(check_config(facts)).remedy == "livesock reload");
    facts.config.state = ConfigState::wrong;
    facts.config.problem = "/home/zoe/a b.toml:7:2: unknown key";
    facts.config.line = 7;
    const Finding running = the_fault(check_config(facts));
    CHECK(says(running, "b.toml:7:2: unknown key; what was read before is in force"));
    CHECK(running.remedy == "vi +7 '/home/zoe/a b.toml' && livesock reload");
    facts.supervisor = {};
    CHECK(the_fault(check_config(facts)).remedy == "vi +7 '/home/zoe/a b.toml' && livesock start");
    CHECK(says(check_supervisor(facts)[0], "none is running: see the configuration"));
}

TEST_CASE("a remedy names a path in the words of the shell") {
    DoctorFacts facts = healthy();
    facts.shell = Shell::fish;
    facts.directory.obstacles = {{"/a\\'", "/b", "socket"}};
    CHECK(the_fault(check_directory(facts)).remedy == "mv '/a\\\\\\'' /b && livesock restart");
    facts.config = {.path = "/a'b", .state = ConfigState::unusable, .problem = "closed"};
    CHECK(the_fault(check_config(facts)).remedy == "chmod u+rw,o-w '/a\\'b' && livesock reload");
    facts.tmux[0].sessions = {{"it's", {"/tmp/ssh-x/agent.1", SocketState::gone, false}}};
    CHECK(the_fault(check_tmux(facts)).remedy.find(" -t '=it\\'s' ") != std::string::npos);
    facts.system.rivals = {{"/a'b", 3, "x"}};
    CHECK(the_fault(check_rivals(facts)).remedy.ends_with(" '/a\\'b'"));
    facts.system.left_shims = {{.path = "/a'b/liblivesock.so"}};
    CHECK(the_fault(check_left_shims(facts)).remedy == "rm -r '/a\\'b'");
    facts.shell = Shell::csh;
    facts.config.path = "/a!b";
    CHECK(the_fault(check_config(facts)).remedy == "chmod u+rw,o-w '/a'\\!'b' && livesock reload");
}

TEST_CASE("an editor is opened in the words of the shell") {
    DoctorFacts facts = healthy();
    CHECK(edit_command_of(facts, "/it's", 7) == "vi +7 '/it'\\''s'");
    facts.editor = "emacs -nw";
    facts.shell = Shell::fish;
    CHECK(edit_command_of(facts, "/it's", 7) == "emacs -nw +7 '/it\\'s'");
}

TEST_CASE("a configuration that is not even read gets the remedy that fits") {
    DoctorFacts facts = healthy();
    facts.supervisor = {};
    facts.config = {.path = "/c", .state = ConfigState::unusable, .problem = "cannot read '/c'"};
    CHECK(the_fault(check_config(facts)).remedy == "chmod u+rw,o-w /c && livesock start");
    facts.config.state = ConfigState::misplaced;
    facts.config.spare = "/c.old";
    CHECK(the_fault(check_config(facts)).remedy == "mv /c /c.old && livesock start");
    facts.config.state = ConfigState::misnamed;
    CHECK(the_fault(check_config(facts)).remedy == "unset LIVESOCK_CONFIG && livesock start");
    SUBCASE("in the words of the shell") {
        facts.shell = Shell::fish;
        CHECK(the_fault(check_config(facts)).remedy == "set -e LIVESOCK_CONFIG && livesock start");
        facts.shell = Shell::csh;
        CHECK(the_fault(check_config(facts)).remedy ==
              "unsetenv LIVESOCK_CONFIG && livesock start");
    }
    SUBCASE("nothing is claimed where livesockd says nothing") {
        facts.config.state = ConfigState::unknown;
        CHECK(check_config(facts)[0].verdict == Verdict::none);
        CHECK(the_fault(check_supervisor(facts)).remedy == "livesock start");
    }
    SUBCASE("a running supervisor has read it before") {
        facts.supervisor = healthy().supervisor;
        CHECK(check_config(facts)[0].verdict == Verdict::none);
    }
    SUBCASE("where its directory is closed, that is opened") {
        facts.config.state = ConfigState::closed;
        facts.config.barrier = "/home/zoe/.config";
        CHECK(the_fault(check_config(facts)).remedy ==
              "chmod u+rwx /home/zoe/.config && livesock start");
    }
}

TEST_CASE("what becomes of a configuration while a supervisor runs is read by it") {
    DoctorFacts facts = healthy();
    facts.status.is_config_changed = true;
    facts.config = {.path = "/c", .state = ConfigState::right};
    CHECK(says(the_fault(check_config(facts)), "/c is right, but was made after livesockd had"));
    facts.status.config = "/c";
    CHECK(says(the_fault(check_config(facts)), "/c is right, but has changed since it was read"));
    facts.config.state = ConfigState::gone;
    CHECK(the_fault(check_config(facts)).remedy == "livesock reload");
    SUBCASE("also by one that is stopped, when it goes on") {
        facts.status = {};
        facts.supervisor = {.is_there = true, .is_stopped = true, .pid = 99};
        facts.config = {.path = "/c", .state = ConfigState::wrong, .problem = "/c:7:2", .line = 7};
        CHECK(the_fault(check_config(facts)).remedy == "vi +7 /c && livesock reload");
        facts.directory.obstacles = {{"/d/log", "/d/log.old", "file"}};
        CHECK(the_fault(check_directory(facts)).remedy ==
              "mv /d/log /d/log.old && livesock restart");
    }
}

TEST_CASE("a directory that is not private is made so, or moved away, or another one is used") {
    DoctorFacts facts = healthy();
    facts.supervisor = {};
    facts.directory.path = "/home/zoe/a b";
    facts.directory.fault = DirectoryFault::mode;
    CHECK(the_fault(check_directory(facts)).remedy ==
          "chmod 700 '/home/zoe/a b' && livesock start");
    facts.directory.fault = DirectoryFault::taken;
    facts.directory.obstacle = {"/home/zoe/a b", "/home/zoe/a b.old"};
    CHECK(the_fault(check_directory(facts)).remedy ==
          "mv '/home/zoe/a b' '/home/zoe/a b.old' && livesock start");
    facts.directory.fault = DirectoryFault::stuck;
    facts.directory.other_place = "/tmp/livesock-7.2";
    const Finding stuck = the_fault(check_directory(facts));
    CHECK(stuck.remedy == "export LIVESOCK_DIR=/tmp/livesock-7.2 && livesock start");
    CHECK(says(stuck, "this line belongs into what your login shell reads, too"));
}

TEST_CASE("where HOME is another user's, nothing of that user's is touched") {
    DoctorFacts facts = healthy();
    facts.supervisor = {};
    facts.directory.path = "/home/ann/.local/state/livesock/h";
    facts.directory.fault = DirectoryFault::home;
    facts.directory.problem = "HOME is '/home/ann', which is another user's";
    facts.directory.right_home = "/home/zoe";
    facts.config = {.path = "/home/ann/c", .state = ConfigState::misplaced, .problem = "no file"};
    CHECK(check_config(facts)[0].verdict == Verdict::none);
    CHECK(the_fault(check_directory(facts)).remedy == "export HOME=/home/zoe && livesock start");
    facts.shell = Shell::fish;
    CHECK(the_fault(check_directory(facts)).remedy == "set -gx HOME /home/zoe && livesock start");
    facts.shell = Shell::csh;
    CHECK(the_fault(check_directory(facts)).remedy == "setenv HOME /home/zoe && livesock start");
}

TEST_CASE("a directory that lost its agent.sock gets another by a restart") {
    DoctorFacts facts = healthy();
    facts.directory.has_agent_socket = false;
    CHECK(the_fault(check_directory(facts)).remedy == "livesock restart");
}

TEST_CASE("it is said why a directory is not where it should be") {
    DoctorFacts facts = healthy();
    facts.directory = {
        .path = "/tmp/livesock-1", .preferred = "/home", .exists = true, .has_agent_socket = true};
    CHECK(check_directory(facts)[0].text == "/tmp/livesock-1, because no socket can be in /home");
    facts.directory.is_preferred_usable = true;
    CHECK(check_directory(facts)[0].text ==
          "/tmp/livesock-1, where its supervisor was started, and not /home");
    facts.supervisor = {};
    facts.directory.exists = false;
    facts.directory.is_preferred_usable = false;
    CHECK(check_directory(facts)[0].verdict == Verdict::none);
    CHECK(check_directory(facts)[0].text == "/tmp/livesock-1, because no socket can be in /home");
    facts.directory.path = "/home";
    CHECK(check_directory(facts)[0].text == "it is made when the supervisor starts");
}

TEST_CASE("a shell with a path that leads nowhere, or none, is given the stable one") {
    DoctorFacts facts = healthy();
    facts.preload = {};
    facts.socket = {};
    CHECK(the_fault(check_shell(facts)).remedy == env_command);
    for (const SocketState state : {SocketState::gone, SocketState::silent}) {
        facts.socket = {"/tmp/ssh-x/agent.1", state, false};
        CHECK(the_fault(check_shell(facts)).remedy == env_command);
    }
    facts.shell = Shell::fish;
    CHECK(the_fault(check_shell(facts)).remedy == "livesock env --fish | source");
    facts.shell = Shell::csh;
    CHECK(the_fault(check_shell(facts)).remedy == "eval `livesock env -c`");
}

TEST_CASE("the agent of a login is none that a shell can rely on without the shim") {
    DoctorFacts facts = healthy();
    facts.socket = {"/tmp/ssh-x/agent.1", SocketState::answers, false};
    CHECK(says(check_shell(facts)[0], "the shim leads on when its login has ended"));
    CHECK(is_good(check_shell(facts)));
    facts.livesock_dir.clear();
    const Finding finding = the_fault(check_shell(facts));
    CHECK(says(finding, "SSH_AUTH_SOCK, /tmp/ssh-x/agent.1, answers, but ends with its login"));
    CHECK(finding.remedy == env_command);
}

TEST_CASE("an agent of the user's own choice is left alone") {
    DoctorFacts facts = healthy();
    facts.socket = {.path = "/run/gpg", .state = SocketState::answers, .is_own = true};
    CHECK(says(check_shell(facts)[0], "is an agent of your own choice"));
    facts.socket.state = SocketState::silent;
    CHECK(says(the_fault(check_shell(facts)), "does not answer"));
    facts.socket = {"/tmp/ssh-x/agent.1", SocketState::gone, false};
    facts.socket.is_led = true;
    CHECK(is_good(check_shell(facts)));                        // the shim is loaded
    facts.socket = {"/nonexistent", SocketState::gone, false}; // which it leaves alone
    CHECK(the_fault(check_shell(facts)).remedy == env_command);
}

TEST_CASE("tmux is told of the stable path where it would give new panes a dead one") {
    DoctorFacts facts = healthy();
    const SocketFacts dead{"/tmp/ssh-x/agent.1", SocketState::gone, false};
    facts.tmux[0].sessions = {{"", dead}};
    CHECK(the_fault(check_tmux(facts)).remedy ==
          std::string("tmux -S /t set-environment -g SSH_AUTH_SOCK ") + stable);
    facts.tmux[0].sessions = {{"my work", dead}, {"other", facts.socket}};
    const Finding finding = the_fault(check_tmux(facts));
    CHECK(finding.remedy ==
          std::string("tmux -S /t set-environment -t '=my work' SSH_AUTH_SOCK ") + stable);
    CHECK(says(finding, "new panes of session my work"));
}

TEST_CASE("panes with a dead path are healed") {
    DoctorFacts facts = healthy();
    for (int i = 0; i < 7; ++i)
        facts.tmux[0].panes.push_back(
            {"%" + std::to_string(i), "sh", {"/tmp/ssh-x/agent.1", SocketState::gone, false}});
    const Finding finding = the_fault(check_tmux(facts));
    CHECK(finding.remedy == "livesock heal");
    CHECK(says(finding, "7 panes have a path that leads nowhere: %0 (sh), "));
    CHECK(says(finding, "%4 (sh) and 2 more"));
    facts.tmux[0].panes = {{"%8", "sh", {"/home/zoe/agent", SocketState::gone, false}}};
    const Findings other = check_tmux(facts);
    CHECK(other[0].verdict == Verdict::none); // no stand-in would be made there
    CHECK(says(other[0], "1 pane has a path that leads nowhere: %8 (sh); it is no login's"));
    facts.tmux = {};
    CHECK(check_tmux(facts)[0].verdict == Verdict::none);
}

TEST_CASE("of several tmux servers it is said which") {
    DoctorFacts facts = healthy();
    const SocketFacts dead{"/tmp/ssh-x/agent.1", SocketState::gone, false};
    facts.tmux.push_back({.path = "/tmp/tmux-7/other", .answers = true});
    CHECK(check_tmux(facts)[0].text ==
          "1 pane of 2 servers, and what they have for SSH_AUTH_SOCK answers");
    facts.tmux[1].sessions = {{"work", dead}};
    const Finding finding = the_fault(check_tmux(facts));
    CHECK(says(finding, "new panes of session work of the server other get"));
    CHECK(finding.remedy.starts_with("tmux -S /tmp/tmux-7/other set-environment -t '=work' "));
    facts.tmux[1].sessions.clear();
    facts.tmux[0].panes[0].socket = dead;
    facts.tmux[1].panes = {{"%0", "vi", dead}};
    CHECK(says(the_fault(check_tmux(facts)), "2 panes have a path that leads nowhere: %0 of the "
                                             "server t (sh), %0 of the server other (vi)"));
    facts.tmux = {{.path = "/t"}};
    CHECK(check_tmux(facts)[0].verdict == Verdict::none);
    CHECK(says(check_tmux(facts)[0], "/t was not looked at"));
}

TEST_CASE("a shim that is not there is taken out of the variable, or replaced") {
    DoctorFacts facts = healthy();
    facts.preload.entries = {{"/opt/other.so", true, false}, {"/gone/liblivesock.so", false, true}};
    CHECK(the_fault(check_shim(facts)).remedy ==
          std::string("export LD_PRELOAD=/opt/other.so:") + shim);
    facts.preload.installed.clear();
    CHECK(the_fault(check_shim(facts)).remedy == "export LD_PRELOAD=/opt/other.so");
}

TEST_CASE("a shim that is named but not loaded, or not armed, is said to be") {
    DoctorFacts facts = healthy();
    facts.livesock_dir.clear();
    CHECK(says(the_fault(check_shim(facts)), "LIVESOCK_DIR is not set"));
    facts.preload.is_loaded = false;
    CHECK(says(the_fault(check_shim(facts)), "has not loaded it"));
    CHECK(the_fault(check_shim(facts)).remedy == preload_command);
}

TEST_CASE("without a shim only a dead path is a fault") {
    DoctorFacts facts = healthy();
    facts.preload = {};
    CHECK(check_shim(facts)[0].verdict == Verdict::none);
    facts.socket = {"/a", SocketState::answers, false};
    CHECK(check_shim(facts)[0].verdict == Verdict::none);
    facts.socket = {"/a", SocketState::gone, false};
    CHECK(the_fault(check_shim(facts)).remedy == preload_command);
}

TEST_CASE("programs that ignore the shim are a fault where they need it") {
    DoctorFacts facts = healthy();
    facts.programs = {{"gh", true, false}, {"ssh", false, false}, {"odd", false, true}};
    CHECK(is_good(check_programs(facts)));
    CHECK(says(check_programs(facts)[0], "gh, odd ignore the shim"));
    facts.socket = {"/a", SocketState::gone, false};
    CHECK(the_fault(check_programs(facts)).remedy == env_command);
}

TEST_CASE("the shim is put behind the other preloads, once") {
    DoctorFacts facts = healthy();
    facts.preload.entries = {{shim, true, true}, {"/opt/other.so", true, false}};
    CHECK(the_fault(check_preload_order(facts)).remedy ==
          std::string("export LD_PRELOAD=/opt/other.so:") + shim);
    facts.preload.entries = {{"/old/liblivesock.so", true, true}, {shim, true, true}};
    CHECK(the_fault(check_preload_order(facts)).remedy == std::string("export LD_PRELOAD=") + shim);
    facts.preload.entries = {{"/opt/other.so", true, false}, {shim, true, true}};
    CHECK(is_good(check_preload_order(facts)));
}

TEST_CASE("programs with AddressSanitizer are let start") {
    DoctorFacts facts = healthy();
    facts.preload.asan_options = "detect_leaks=0";
    CHECK(the_fault(check_asan(facts)).remedy ==
          "export ASAN_OPTIONS='detect_leaks=0:verify_asan_link_order=0'");
}

TEST_CASE("it is said why no agent is forwarded") {
    DoctorFacts facts = healthy();
    facts.status.agents.clear();
    SUBCASE("a login without -A") {
        const Finding finding = the_fault(check_forwarding(facts));
        CHECK(says(finding, "ControlMaster"));
        CHECK(finding.remedy == "ssh -A -S none zoe@box");
    }
    SUBCASE("mosh") {
        facts.login_state.is_mosh = true;
        CHECK(says(the_fault(check_forwarding(facts)), "mosh forwards no agent"));
    }
    SUBCASE("no login by ssh") {
        facts.login_state.is_ssh = false;
        CHECK(says(the_fault(check_forwarding(facts)), "no agent is live here at all"));
    }
    SUBCASE("the agent of this shell is not known") {
        facts.socket = {"/run/user/7/agent", SocketState::answers, false};
        const Finding finding = the_fault(check_forwarding(facts));
        CHECK(says(finding, "does not know the agent that this shell uses"));
        CHECK(finding.remedy == "livesock register");
    }
    SUBCASE("a key that may not") {
        facts.login_state.restricted_keys = {{"/home/zoe/.ssh/authorized_keys", 3, {}}};
        CHECK(the_fault(check_forwarding(facts)).remedy == "vi +3 /home/zoe/.ssh/authorized_keys");
    }
    SUBCASE("another agent serves") {
        facts.status.agents = {{.path = "/a", .state = "live", .selected = true}};
        CHECK(is_good(check_forwarding(facts)));
    }
    SUBCASE("the supervisor does not run") {
        facts.supervisor = {};
        CHECK(check_forwarding(facts)[0].verdict == Verdict::none);
    }
}

TEST_CASE("an sshd that forbids forwarding is told not to") {
    DoctorFacts facts = healthy();
    facts.login_state.forbidding = {{"/etc/ssh/sshd_config", 7, "AllowAgentForwarding no"}};
    const Finding finding = the_fault(check_forwarding(facts));
    CHECK(finding.remedy == "sudo sed -i --follow-symlinks '7s/^/# /' /etc/ssh/sshd_config && sudo "
                            "sh -c 'systemctl reload ssh || systemctl reload sshd'");
    CHECK(says(finding, "/etc/ssh/sshd_config:7: AllowAgentForwarding no"));
}

TEST_CASE("a client that sleeps is a fault where nobody takes its place") {
    DoctorFacts facts = healthy();
    facts.status.agents.push_back(forwarded("hung", false));
    CHECK(is_good(check_sleepers(facts)));
    facts.status.agents = {forwarded("late", true)};
    CHECK(the_fault(check_sleepers(facts)).remedy == "ssh -A zoe@box");
}

TEST_CASE("an agent that owes an answer is not said to answer") {
    DoctorFacts facts = healthy();
    REQUIRE(is_good(check_sleepers(facts)));
    facts.status.agents[0].unanswered_seconds = 0.3;
    const std::vector<Finding> findings = check_sleepers(facts);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].verdict == Verdict::none);
    CHECK(says(findings[0], "was asked 300 ms ago and has not answered yet"));
}

TEST_CASE("the agent.sock of another host is none of ours") {
    DoctorFacts facts = healthy();
    facts.socket = {"/home/zoe/.local/state/livesock/tower/agent.sock", SocketState::gone, false};
    const Finding finding = the_fault(check_shared_home(facts));
    CHECK(says(finding, "another host, tower"));
    CHECK(finding.remedy == std::string("unset LIVESOCK_DIR; ") + env_command);
    facts.shell = Shell::fish;
    CHECK(the_fault(check_shared_home(facts)).remedy ==
          "set -e LIVESOCK_DIR; livesock env --fish | source");
    facts.socket.path = "/run/user/1/livesock/agent.sock";
    CHECK(is_good(check_shared_home(facts)));
    facts.socket.path = "/livesock/";
    CHECK(is_good(check_shared_home(facts)));
    facts.system.foreign_sockets = 3;
    CHECK(says(check_shared_home(facts)[0], "3 sockets in ~/.ssh/agent"));
}

TEST_CASE("who would be ended at logout is to linger") {
    DoctorFacts facts = healthy();
    CHECK(is_good(check_linger(facts)));
    facts.supervisor.is_user_service = true;
    CHECK(the_fault(check_linger(facts)).remedy == "loginctl enable-linger");
    facts.system.lingers = true;
    CHECK(is_good(check_linger(facts)));
    facts.system.has_logind = false;
    CHECK(check_linger(facts)[0].verdict == Verdict::none);
}

TEST_CASE("where logind ends what a login has started, lingering does not help") {
    DoctorFacts facts = healthy();
    facts.system.lingers = true;
    facts.system.killing = {{"/etc/systemd/logind.conf", 3, "KillUserProcesses=yes"}};
    const Finding finding = the_fault(check_linger(facts));
    CHECK(says(finding, "(/etc/systemd/logind.conf:3: KillUserProcesses=yes)"));
    CHECK(finding.remedy ==
          "sudo sed -i --follow-symlinks '3s/=.*/=no/' /etc/systemd/logind.conf && sudo systemctl "
          "restart systemd-logind");
}

TEST_CASE("what would be cleaned away is excepted") {
    DoctorFacts facts = healthy();
    facts.system.ageing = {{"/usr/lib/tmpfiles.d/tmp.conf", 11, "q /tmp 1777 root root 10d"}};
    CHECK(is_good(check_ageing(facts)));
    facts.status.stand_ins = {{.path = "/tmp/ssh-abc/agent.1", .reason = "dead"}};
    CHECK(the_fault(check_ageing(facts)).remedy ==
          "echo 'x /tmp/ssh-abc' | sudo tee -a /etc/tmpfiles.d/livesock.conf");
    facts.system.kept = {"/tmp/ssh-*"};
    CHECK(is_good(check_ageing(facts)));
    facts.directory.path = "/tmp/livesock-1000";
    CHECK(says(the_fault(check_ageing(facts)), "/tmp/livesock-1000 cleaned away"));
}

TEST_CASE("lines of other tools are silenced, one by one, where the file stays what it is") {
    DoctorFacts facts = healthy();
    facts.system.rivals = {{"/home/zoe/.bashrc", 3, "eval $(ssh-agent)"}};
    const Finding finding = the_fault(check_rivals(facts));
    CHECK(finding.remedy == "sed -i --follow-symlinks '3s/^/: # /' /home/zoe/.bashrc");
    CHECK(says(finding, "/home/zoe/.bashrc:3 sets SSH_AUTH_SOCK, too: eval $(ssh-agent)"));
    facts.system.rivals[0].text = "if true; then eval $(ssh-agent); fi";
    CHECK(the_fault(check_rivals(facts)).remedy == "vi +3 /home/zoe/.bashrc");
}

TEST_CASE("tools that set the variable themselves are known by their sockets") {
    DoctorFacts facts = healthy();
    for (const auto& [path, name] : {std::pair{"/run/user/1000/keyring/ssh", "gnome-keyring"},
                                     std::pair{"/tmp/vscode-ssh-auth-1.sock", "VS Code"},
                                     std::pair{"/x/wezterm/agent.7", "wezterm"}}) {
        facts.socket = {path, SocketState::answers, false};
        CHECK(says(the_fault(check_rivals(facts)), name));
        CHECK(the_fault(check_rivals(facts)).remedy.ends_with(env_command));
    }
    facts.socket.path = "/run/user/1000/gcr/ssh";
    CHECK(the_fault(check_rivals(facts)).remedy ==
          std::string("systemctl --user mask --now gcr-ssh-agent.socket; ") + env_command);
    facts.socket.target = facts.status.agents[0].path; // it leads where it should
    CHECK(is_good(check_rivals(facts)));
    facts.socket.target.clear();
    facts.status.agents.clear(); // nothing is missed
    CHECK(is_good(check_rivals(facts)));
}

TEST_CASE("a supervisor of another version, or of a program that was replaced, is restarted") {
    DoctorFacts facts = healthy();
    facts.supervisor.is_replaced = true;
    CHECK(the_fault(check_versions(facts)).remedy == "livesock restart");
    facts.supervisor.version = "1.0.0";
    CHECK(says(the_fault(check_versions(facts)), "livesockd 1.0.0 is running, but 1.2.3"));
    facts = healthy();
    facts.system.old_shims = 1;
    CHECK(says(check_versions(facts)[0], "1 program runs with an older"));
}

TEST_CASE("the library of a livesock that was removed can go when nobody names it") {
    DoctorFacts facts = healthy();
    CHECK(check_left_shims(facts).empty());
    facts.system.left_shims = {{.path = "/usr/lib/x/livesock/liblivesock.so", .users = 2}};
    CHECK(says(check_left_shims(facts)[0], "stays: 2 programs name it"));
    facts.system.left_shims[0].users = 0;
    facts.system.left_shims[0].has_multiplexer = true;
    CHECK(says(check_left_shims(facts)[0], "stays: a tmux or screen may give it to new panes"));
    facts.system.left_shims[0].has_multiplexer = false;
    facts.system.left_shims[0].may_have_more = true;
    CHECK(says(check_left_shims(facts)[0], "stays: other users' programs may name it"));
    facts.system.left_shims[0].may_have_more = false;
    CHECK(says(the_fault(check_left_shims(facts)), "can go"));
    SUBCASE("by who may") {
        CHECK(the_fault(check_left_shims(facts)).remedy == "rm -r /usr/lib/x/livesock");
    }
    SUBCASE("with what has installed it") {
        facts.system.left_shims[0].installer = "/home/zoe/.local/share/livesock/install.sh";
        CHECK(the_fault(check_left_shims(facts)).remedy ==
              "/home/zoe/.local/share/livesock/install.sh --uninstall");
    }
}

TEST_CASE("texts from elsewhere drive no terminal") {
    DoctorFacts facts = healthy();
    const std::string odd = "/tmp/\033[31m\n\\";
    facts.socket = {odd, SocketState::gone, false};
    facts.directory.problem = odd;
    facts.directory.path = odd;
    facts.tmux[0].sessions = {{odd, facts.socket}};
    facts.system.rivals = {{odd, 1, odd}};
    facts.preload.entries = {{odd + "liblivesock.so", false, true}};
    facts.supervisor.version = odd;
    facts.login_state.forbidding = {{odd, 1, odd}};
    for (const Finding& finding : examine(facts))
        for (const std::string& text : {finding.text, finding.remedy}) {
            CHECK(text.find('\033') == std::string::npos);
            CHECK(text.find('\n') == std::string::npos);
        }
}
