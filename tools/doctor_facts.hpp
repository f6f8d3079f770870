// What `doctor` knows when it examines: collected once, so that the checks are functions of it.
#pragma once

#include "tools/answers.hpp"
#include "tools/exports.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace livesock {

/// What came of asking at a path for the identities.
enum class SocketState {
    unset,     ///< there is no path
    gone,      ///< nobody listens there
    silent,    ///< somebody listens, but does not answer
    strangers, ///< another user listens there: nothing is asked
    answers,   ///< an agent
};

struct SocketFacts {
    std::string path = {};
    SocketState state = SocketState::unset;
    bool is_ours = false;    ///< it is agent.sock, or leads there
    std::string target = {}; ///< where a symlink leads; else the path
    bool is_own = false;     ///< is_own_agent(), or another supervisor
    bool is_led = false;     ///< is_led_by_shim()
};

struct SupervisorState {
    bool answers = false;
    bool is_there = false;   ///< one runs, but does not answer
    bool is_stopped = false; ///< by a signal or a debugger
    std::int64_t pid = 0;
    std::string version = {};
    bool is_replaced = false;     ///< its program's file was deleted or replaced
    bool is_removed = false;      ///< and there is no other in its place
    bool is_user_service = false; ///< systemd's user manager has started it
};

/// What keeps a supervisor from using its directory, and so what cures it.
enum class DirectoryFault {
    none,
    mode,     ///< others may enter it
    variable, ///< LIVESOCK_DIR names no place of this user's
    home,     ///< HOME is another user's
    taken,    ///< something else is there, and can be moved away
    stuck,    ///< something else is there, and cannot
};

/// What has a name that is to be had, and a free name for it.
struct Obstacle {
    std::string path = {};
    std::string spare = {};
    std::string wanted = {}; ///< what is to have the name: "socket"
    bool is_closed = false;  ///< it is what it is to be, but may not be read and written
};

struct DirectoryState {
    std::string path = {};            ///< the supervisor's; where none runs, where one would begin
    std::string preferred = {};       ///< where it should lie
    bool is_preferred_usable = false; ///< as far as can be seen without trying
    bool exists = false;
    bool has_agent_socket = false;
    DirectoryFault fault = DirectoryFault::none;
    std::string problem = {};             ///< the fault, as a sentence
    Obstacle obstacle = {};               ///< what is to be moved away, of `taken`
    std::string other_place = {};         ///< that can be used instead, of `stuck`
    std::string right_home = {};          ///< of `home`
    std::vector<Obstacle> obstacles = {}; ///< in the directory, in place of its own names
};

/// What stands between the supervisor and its configuration.
enum class ConfigState {
    unknown, ///< livesockd cannot be asked
    none,    ///< there is no file, and none is named
    right,
    gone,      ///< it was read, and is not there any more
    misnamed,  ///< where it is named there is no file of the user's
    closed,    ///< a directory of the user's, in which it lies, may not be entered
    unusable,  ///< it cannot be read, or is not to be trusted
    misplaced, ///< it is no file, or somebody else's
    wrong,     ///< what is written there is refused
};

struct ConfigFacts {
    std::string path = {};
    ConfigState state = ConfigState::none;
    std::string problem = {}; ///< what livesockd says about it
    std::int64_t line = 0;    ///< where it is wrong
    std::string spare = {};   ///< a free name, for what is misplaced
    std::string barrier = {}; ///< the directory that is closed
};

/// What a tmux session gives to its new panes.
struct TmuxSession {
    std::string name = {};
    SocketFacts socket = {};
};

struct TmuxPane {
    std::string id = {}; ///< "%3"
    std::string program = {};
    SocketFacts socket = {};
};

/// A tmux server of this user.
struct TmuxServer {
    std::string path = {}; ///< of its socket
    bool answers = false;
    std::vector<TmuxSession> sessions = {};
    std::vector<TmuxPane> panes = {};
};

/// One entry of LD_PRELOAD.
struct PreloadEntry {
    std::string path = {};
    bool exists = false;
    bool is_shim = false;
};

struct PreloadState {
    std::string value = {}; ///< of LD_PRELOAD
    std::vector<PreloadEntry> entries = {};
    std::string installed = {}; ///< the shim that belongs to this program; empty if it is missing
    bool is_loaded = false;     ///< in this very process
    std::string asan_options = {};
};

/// A program that asks agents, as found in PATH.
struct AgentProgram {
    std::string name = {};
    bool is_static = false;
    bool is_privileged = false; ///< setuid, setgid or with capabilities
};

/// One line of a file, counted from 1.
struct FileLine {
    std::string file = {};
    std::int64_t number = 0;
    std::string text = {};
};

struct LoginState {
    bool is_ssh = false;  ///< SSH_CONNECTION is set
    bool is_mosh = false; ///< started by mosh-server
    /// The first line of sshd's configuration that forbids forwarding, if one does.
    std::vector<FileLine> forbidding = {};
    /// Lines of authorized_keys that forbid it for their key.
    std::vector<FileLine> restricted_keys = {};
};

/// The preload library of a livesock that was removed.
struct LeftShim {
    std::string path = {};
    std::string installer = {};   ///< what removes it; empty if it was not installed by install.sh
    std::int64_t users = 0;       ///< processes that were started with it in LD_PRELOAD
    bool has_multiplexer = false; ///< a tmux or screen runs, which may give it to new panes
    bool may_have_more = false;   ///< not every process that could name it could be looked at
};

struct SystemState {
    bool has_logind = false;
    /// The line of logind's configuration by which it ends what was started in a login.
    std::vector<FileLine> killing = {};
    bool lingers = false;
    /// Lines of tmpfiles.d that have /tmp cleaned by age, and those that except something.
    std::vector<FileLine> ageing = {};
    std::vector<std::string> kept = {}; ///< patterns of the latter
    /// Sockets in ~/.ssh/agent at which nobody on this host listens.
    std::int64_t foreign_sockets = 0;
    /// Processes of this user that have a library loaded which is not the installed one any more.
    std::int64_t old_shims = 0;
    std::vector<LeftShim> left_shims = {};
    /// Lines of files that shells read, by which other tools set SSH_AUTH_SOCK.
    std::vector<FileLine> rivals = {};
};

struct DoctorFacts {
    std::string user = {};
    std::string home = {};
    std::string host = {};
    std::string login = {};   ///< login_command()
    std::string version = {}; ///< of this program
    Shell shell = Shell::posix;
    std::string editor = "vi";     ///< as words of a shell, which not every one makes of a variable
    std::string livesock_dir = {}; ///< the variable
    SupervisorState supervisor = {};
    DirectoryState directory = {};
    ConfigFacts config = {};
    SocketFacts socket = {}; ///< SSH_AUTH_SOCK
    std::vector<TmuxServer> tmux = {};
    PreloadState preload = {};
    std::vector<AgentProgram> programs = {};
    LoginState login_state = {};
    SystemState system = {};
    StatusReport status = {}; ///< empty unless the supervisor answers
};

} // namespace livesock
