// What `doctor` learns from tmux(1).
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/doctor_collect.hpp"
#include "tools/output_of.hpp"
#include "tools/own_agent.hpp"
#include "tools/print.hpp"

#include <charconv>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// Neither a tmux server nor what its panes have for an agent is asked any further after this time.
constexpr auto patience = 3s;

/// More sessions and panes are not looked at.
constexpr std::size_t most_sessions = 64;
constexpr std::size_t most_panes = 256;

constexpr std::string_view variable = "SSH_AUTH_SOCK";

class Server {
  public:
    Server(std::vector<std::string> words, TimePoint deadline)
        : words_(std::move(words))
        , deadline_(deadline) {}

    std::optional<std::string> ask(std::vector<std::string> words) const {
        const Duration left = deadline_ - Clock::now();
        if (left <= Duration::zero())
            return std::nullopt;
        words.insert(words.begin(), words_.begin(), words_.end());
        return output_of(words, left);
    }
    /// The value of SSH_AUTH_SOCK in an environment; nothing if it says nothing about it, empty if
    /// it takes it away.
    std::optional<std::string> socket_in(std::vector<std::string> scope) const {
        scope.insert(scope.begin(), "show-environment");
        scope.emplace_back(variable);
        const std::optional<std::string> said = ask(std::move(scope));
        if (!said)
            return std::nullopt;
        const std::size_t equals = said->find('=');
        return equals == std::string::npos ? std::string() : said->substr(equals + 1);
    }

  private:
    std::vector<std::string> words_;
    TimePoint deadline_;
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
    Sockets(const std::string& directory, TimePoint deadline)
        : directory_(directory)
        , deadline_(deadline) {}

    /// Null where that is not known, and there is no time left to ask.
    const SocketFacts* at(const std::string& path) {
        const auto known = known_.find(path);
        if (known != known_.end())
            return &known->second;
        if (Clock::now() >= deadline_)
            return nullptr;
        return &known_.emplace(path, collect_socket(path, directory_)).first->second;
    }

  private:
    const std::string& directory_;
    TimePoint deadline_;
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
        const auto own = server.socket_in({"-t", "=" + name});
        uses_global = uses_global || !own;
        if (const SocketFacts* const socket = own ? sockets.at(*own) : nullptr)
            found.push_back({name, *socket});
    }
    const auto global = server.socket_in({"-g"});
    if (const SocketFacts* const socket = global && uses_global ? sockets.at(*global) : nullptr)
        found.insert(found.begin(), {"", *socket});
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
        if (const SocketFacts* const socket =
                sockets.at(std::string(variable_in(block, variable).value_or(""))))
            found.push_back({.id = line.substr(0, blank),
                             .program = process ? process->program : "",
                             .socket = *socket});
    }
    return found;
}

} // namespace

TmuxState collect_tmux(const std::string& directory) {
    const std::vector<std::string> words = server_words();
    if (words.empty())
        return {};
    const TimePoint deadline = Clock::now() + patience;
    const Server server(words, deadline);
    TmuxState state;
    state.runs = server.ask({"list-sessions"}).has_value();
    if (!state.runs)
        return state;
    state.command = fmt::format("tmux -S {}", quoted_word(Shell::posix, words.back()));
    Sockets sockets(directory, deadline);
    state.sessions = sessions_of(server, sockets);
    state.panes = panes_of(server, sockets);
    return state;
}

} // namespace livesock
