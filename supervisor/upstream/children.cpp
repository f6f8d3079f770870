#include "supervisor/upstream/children.hpp"

#include <algorithm>
#include <csignal>

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// How long a group that was asked to end may take before it is killed; less when we end too, for
/// somebody waits for that.
constexpr auto patience = 1s;
constexpr auto patience_at_stop = 250ms;
constexpr int reap_poll_milliseconds = 2;

/// The status of `pid` if it has ended; it is gone then, and with it all of its group.
std::optional<int> reap_if_ended(pid_t pid) {
    siginfo_t info{};
    const int waited = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    if (waited == 0 && info.si_pid != pid)
        return std::nullopt;
    // Before its number can be another's.
    ::kill(-pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
}

} // namespace

Children::~Children() {
    end_all();
}

Result<pid_t> Children::start(const Program& program, std::function<void(int)> on_end) {
    if (!ended_)
        ended_ = loop_.on_signal(SIGCHLD, [this] { on_child_signal(); });
    ended_.resume();
    const Result<pid_t> pid = spawn(program);
    if (!pid)
        return pid.error();
    children_.push_back(std::make_unique<Child>(Child{*pid, std::move(on_end), {}}));
    return *pid;
}

Children::Child* Children::find(pid_t pid) {
    const auto found = std::find_if(children_.begin(), children_.end(),
                                    [pid](const auto& child) { return child->pid == pid; });
    return found == children_.end() ? nullptr : found->get();
}

void Children::end(pid_t pid) {
    Child* const child = find(pid);
    if (child == nullptr || child->kill)
        return;
    child->on_end = nullptr;
    ::kill(-pid, SIGTERM);
    child->kill = loop_.timer([pid] { ::kill(-pid, SIGKILL); });
    child->kill.start(patience);
}

void Children::kill(pid_t pid) {
    Child* const child = find(pid);
    if (child == nullptr)
        return;
    child->on_end = nullptr;
    ::kill(-pid, SIGKILL);
}

/// One at a time: whoever is told of an end may have told others to end, of which it hears no more.
void Children::on_child_signal() {
    while (const std::optional<Ended> ended = reap())
        if (ended->on_end)
            ended->on_end(ended->status);
}

std::optional<Children::Ended> Children::reap() {
    for (auto child = children_.begin(); child != children_.end(); ++child)
        if (const std::optional<int> status = reap_if_ended((*child)->pid)) {
            Ended ended{std::move((*child)->on_end), *status};
            children_.erase(child);
            return ended;
        }
    return std::nullopt;
}

void Children::end_all() {
    for (const auto& child : children_)
        ::kill(-child->pid, SIGTERM);
    const TimePoint deadline = Clock::now() + patience_at_stop;
    while (!children_.empty() && Clock::now() < deadline) {
        while (reap()) {
        }
        if (!children_.empty())
            ::poll(nullptr, 0, reap_poll_milliseconds);
    }
    for (const auto& child : children_) {
        ::kill(-child->pid, SIGKILL);
        ::waitpid(child->pid, nullptr, 0);
    }
    children_.clear();
}

std::string describe_end(int status) {
    return WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                               : fmt::format("ended with status {}", WEXITSTATUS(status));
}

} // namespace livesock
