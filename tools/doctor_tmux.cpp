// What `doctor` learns from tmux(1).
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "tools/doctor_collect.hpp"
#include "tools/output_of.hpp"
#include "tools/own_agent.hpp"
#include "tools/print.hpp"
#include "tools/tmux_servers.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// Neither tmux servers nor what their panes have for an agent are asked any further after this
/// time, and one that hangs leaves some of it to the next.
constexpr auto tmux_patience = 3s;
constexpr auto patience_with_one = 2s;

/// More sessions and panes are not looked at.
constexpr std::size_t most_sessions = 64;
constexpr std::size_t most_panes = 256;

constexpr std::string_view variable = "SSH_AUTH_SOCK";

class Server {
  public:
    Server(std::string socket, TimePoint deadline)
        : socket_(std::move(socket))
        , deadline_(deadline) {}

    std::optional<std::string> ask(std::vector<std::string> words) const {
        const Duration left = deadline_ - Clock::now();
        if (left <= Duration::zero())
            return std::nullopt;
        words.insert(words.begin(), {"tmux", "-S", socket_});
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
    std::string socket_;
    TimePoint deadline_;
};

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

std::vector<TmuxServer> collect_tmux(const std::string& directory) {
    const TimePoint deadline = Clock::now() + tmux_patience;
    Sockets sockets(directory, deadline);
    std::vector<TmuxServer> servers;
    for (const std::string& path : tmux_sockets()) {
        const Server server(path, std::min(deadline, Clock::now() + patience_with_one));
        TmuxServer& state = servers.emplace_back(TmuxServer{.path = path});
        state.answers = server.ask({"list-sessions"}).has_value();
        if (!state.answers)
            continue;
        state.sessions = sessions_of(server, sockets);
        state.panes = panes_of(server, sockets);
    }
    return servers;
}

} // namespace livesock
