#include "supervisor/upstream/command_agent.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

namespace livesock {
namespace {

struct Ends {
    UniqueFd ours; // non-blocking; programs expect theirs to block
    UniqueFd theirs;
};

/// A socket and no pair of pipes: either end may have both directions shut by the other's end.
Result<Ends> make_connection() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return system_error("cannot make a connection", errno);
    Ends ends{UniqueFd(fds[0]), UniqueFd(fds[1])};
    if (::fcntl(ends.ours.get(), F_SETFL, O_NONBLOCK) != 0)
        return system_error("cannot make a connection", errno);
    return ends;
}

Result<Ends> make_output_pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0)
        return system_error("cannot make a pipe", errno);
    Ends ends{UniqueFd(fds[0]), UniqueFd(fds[1])};
    if (::fcntl(ends.ours.get(), F_SETFL, O_NONBLOCK) != 0)
        return system_error("cannot make a pipe", errno);
    return ends;
}

} // namespace

std::string program_name(const std::vector<std::string>& command) {
    const std::string& path = command.front();
    return escaped(path.substr(path.rfind('/') + 1), 64);
}

CommandAgent::CommandAgent(EventLoop& loop, Children& children, std::vector<std::string> command,
                           std::string name)
    : loop_(loop)
    , children_(children)
    , command_(std::move(command))
    , name_(std::move(name))
    , sweep_(loop.on_demand([this] { sweep(); })) {}

CommandAgent::~CommandAgent() {
    for (const auto& process : processes_)
        children_.end(process->pid);
}

// Whoever is given our end of a connection closes it when he likes, and need not know that there is
// a process behind it. So the far end is kept open here too: the kernel tells it that ours is
// closed. While it is open the process's own end would not be told to our side, but that we hear of
// from the process, and close it then.

Result<AgentConnection> CommandAgent::connect() {
    if (processes_.size() >= most_command_processes)
        return Error{fmt::format("there are {} processes of it already", most_command_processes),
                     EAGAIN};
    Result<Ends> connection = make_connection();
    if (!connection)
        return connection.error();
    Result<Ends> output = make_output_pipe();
    if (!output)
        return output.error();
    auto process = std::make_unique<Process>();
    Process& started = *process;
    const Result<pid_t> pid =
        children_.start({.words = command_,
                         .environment = environment_of_children(),
                         .input = connection->theirs.get(),
                         .output = connection->theirs.get(),
                         .error = output->theirs.get(),
                         .death_signal = SIGTERM},
                        [this, &started](int status) { on_end(started, status); });
    if (!pid)
        return pid.error();
    started.pid = *pid;
    started.far_end = std::move(connection->theirs);
    started.output = std::make_unique<OutputLog>(loop_, std::move(output->ours), name_, lines_);
    started.hung_up =
        loop_.on_change(started.far_end.get(), [this, &started] { check_connection(started); });
    started.hung_up.resume();
    processes_.push_back(std::move(process));
    return AgentConnection{std::move(connection->ours), *pid};
}

void CommandAgent::check_connection(Process& process) {
    if (process.is_over || !is_hung_up(process.far_end.get()))
        return;
    children_.end(process.pid);
    sweep_later(process);
}

void CommandAgent::on_end(Process& process, int status) {
    process.output->finish();
    if (status != 0 && lines_.take(Clock::now()))
        log::info("{}: it {}", name_, describe_end(status));
    sweep_later(process);
}

void CommandAgent::sweep_later(Process& process) {
    process.is_over = true;
    sweep_.trigger();
}

void CommandAgent::sweep() {
    std::erase_if(processes_, [](const auto& process) { return process->is_over; });
}

} // namespace livesock
