// What `doctor` learns from tmux(1).
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/doctor_collect.hpp"
#include "tools/output_of.hpp"

#include <charconv>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// A tmux server that does not answer in this time is not asked any further.
constexpr auto patience = 2s;

/// More sessions and panes are not looked at.
constexpr std::size_t most_sessions = 64;
constexpr std::size_t most_panes = 256;

constexpr std::string_view variable = "SSH_AUTH_SOCK";

class Server {
  public:
    explicit Server(std::vector<std::string> words)
        : words_(std::move(words)) {}

    std::optional<std::string> ask(std::initializer_list<std::string> words) const {
        std::vector<std::string> all = words_;
        all.insert(all.end(), words);
        return output_of(all, patience);
    }
    /// The value of SSH_AUTH_SOCK in an environment; nothing if it says nothing about it, empty if
    /// it takes it away.
    std::optional<std::string> socket_in(std::initializer_list<std::string> scope) const {
        std::vector<std::string> all = words_;
        all.emplace_back("show-environment");
        all.insert(all.end(), scope);
        all.emplace_back(variable);
        const std::optional<std::string> said = output_of(all, patience);
        if (!said)
            return std::nullopt;
        const std::size_t equals = said->find('=');
        return equals == std::string::npos ? std::string() : said->substr(equals + 1);
    }

  private:
    std::vector<std::string> words_;
};

/// The words that reach the server of this terminal, else the user's own; none if there is neither.
std::vector<std::string> server_words() {
    if (const std::string tmux = environment("TMUX"); !tmux.empty())
        return {"tmux", "-S", tmux.substr(0, tmux.find(','))};
    const std::string base = environment("TMUX_TMPDIR");
    const std::string path =
        fmt::format("{}/tmux-{}/default", base.empty() ? "/tmp" : base, ::geteuid());
    return ::access(path.c_str(), F_OK) == 0 ? std::vector<std::string>{"tmux", "-S", path}
                                             : std::vector<std::string>();
}

/// Asks at each path once: those that do not answer take their time.
class Sockets {
  public:
    explicit Sockets(const std::string& directory)
        : directory_(directory) {}

    const SocketFacts& at(const std::string& path) {
        const auto known = known_.find(path);
        return known != known_.end()
                   ? known->second
                   : known_.emplace(path, collect_socket(path, directory_)).first->second;
    }

  private:
    const std::string& directory_;
    std::map<std::string, SocketFacts> known_;
};

/// The environment that is everybody's, under an empty name, and that of each session which has a
/// value of its own.
std::vector<TmuxSession> sessions_of(const Server& server, Sockets& sockets) {
    std::vector<TmuxSession> found;
    bool uses_global = false;
    for (const std::string& name :
         lines_of(server.ask({"list-sessions", "-F", "#{session_name}"}).value_or(""))) {
        if (found.size() >= most_sessions)
            break;
        if (const auto own = server.socket_in({"-t", "=" + name}))
            found.push_back({name, sockets.at(*own)});
        else
            uses_global = true;
    }
    if (const auto global = server.socket_in({"-g"}); global && uses_global)
        found.insert(found.begin(), {"", sockets.at(*global)});
    return found;
}

std::vector<TmuxPane> panes_of(const Server& server, Sockets& sockets) {
    std::vector<TmuxPane> found;
    for (const std::string& line :
         lines_of(server.ask({"list-panes", "-a", "-F", "#{pane_id} #{pane_pid}"}).value_or(""))) {
        const std::size_t blank = line.find(' ');
        pid_t pid = 0;
        if (found.size() >= most_panes || blank == std::string::npos)
            break;
        std::from_chars(line.data() + blank + 1, line.data() + line.size(), pid);
        const std::string block = environment_of(pid);
        const auto process = process_facts(pid);
        found.push_back(
            {.id = line.substr(0, blank),
             .program = process ? process->program : "",
             .socket = sockets.at(std::string(variable_in(block, variable).value_or("")))});
    }
    return found;
}

} // namespace

TmuxState collect_tmux(const std::string& directory) {
    const std::vector<std::string> words = server_words();
    if (words.empty())
        return {};
    const Server server(words);
    TmuxState state;
    state.runs = server.ask({"list-sessions"}).has_value();
    if (!state.runs)
        return state;
    state.command = fmt::format("tmux -S {}", quoted_word(Shell::posix, words.back()));
    Sockets sockets(directory);
    state.sessions = sessions_of(server, sockets);
    state.panes = panes_of(server, sockets);
    return state;
}

} // namespace livesock
