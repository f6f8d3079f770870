// An agent that is a command: it speaks the agent protocol on its standard input and output.
#pragma once

#include "supervisor/upstream/children.hpp"
#include "supervisor/upstream/output_log.hpp"
#include "supervisor/upstream/route.hpp"

#include <memory>
#include <string>
#include <vector>

namespace livesock {

/// So many processes of one command run at once; further connections wait until one has ended.
inline constexpr std::size_t most_command_processes = 64;

/// What to call the program of `command`: the last part of its path, made safe to show.
[[nodiscard]] std::string program_name(const std::vector<std::string>& command);

/// Starts the command once for every connection. Its process group is ended when the connection is
/// closed, and the connection is closed when the process has ended. What it prints on its standard
/// error is logged.
class CommandAgent final : public Route {
  public:
    /// `command` has at least one word; `name` is what it is called in the log. `children` outlives
    /// this.
    CommandAgent(EventLoop& loop, Children& children, std::vector<std::string> command,
                 std::string name);
    ~CommandAgent() override;

    Result<AgentConnection> connect() override;
    const std::string& socket() const override { return no_socket_; }
    std::size_t most_connections() const override { return most_command_processes; }

    std::size_t processes() const { return processes_.size(); }

  private:
    struct Process {
        pid_t pid = 0;
        UniqueFd far_end; // of the connection: a duplicate of what the process has
        Watch hung_up;
        std::unique_ptr<OutputLog> output;
        bool is_over = false;
    };

    void check_connection(Process& process);
    void on_end(Process& process, int status);
    void sweep_later(Process& process);
    void sweep();

    EventLoop& loop_;
    Children& children_;
    std::vector<std::string> command_;
    std::string name_;
    std::string no_socket_;
    LineBudget lines_;
    std::vector<std::unique_ptr<Process>> processes_;
    Watch sweep_;
};

} // namespace livesock
