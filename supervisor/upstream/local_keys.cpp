#include "supervisor/upstream/local_keys.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"

#include <cerrno>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// What ssh-add(1) loads where it is given no file, in its order.
constexpr std::string_view default_keys[] = {
    "id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_dsa",
};

/// An agent that ends again and again is not started more often than this.
constexpr auto between_starts = 10s;

/// A file that takes ssh-add longer is left out.
constexpr auto longest_load = 3s;

/// Of what ssh-add prints, as much is looked at; it must fit a pipe, which nobody reads meanwhile.
constexpr std::size_t most_output = 4096;

/// Nothing may ask the user: he did not call us.
std::vector<std::string> environment_without_prompts() {
    std::vector<std::string> variables = environment_of_children();
    std::erase_if(variables, [](const std::string& variable) {
        return variable.starts_with("DISPLAY=") || variable.starts_with("WAYLAND_DISPLAY=") ||
               variable.starts_with("SSH_ASKPASS");
    });
    variables.emplace_back("SSH_ASKPASS_REQUIRE=never");
    return variables;
}

bool is_open_to_others(const std::string& file) {
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 && status.st_uid == ::geteuid() &&
           (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

std::string_view last_line(std::string_view text) {
    while (text.ends_with('\n') || text.ends_with('\r'))
        text.remove_suffix(1);
    const std::size_t end = text.rfind('\n');
    return end == std::string_view::npos ? text : text.substr(end + 1);
}

} // namespace

LocalKeys::LocalKeys(EventLoop& loop, Children& children, std::string socket,
                     std::string key_directory)
    : children_(children)
    , socket_(std::move(socket))
    , key_directory_(std::move(key_directory))
    , too_slow_(loop.timer([this] { on_adding_too_slow(); })) {}

LocalKeys::~LocalKeys() {
    stop_loading();
    if (agent_ == 0)
        return;
    // Not SIGTERM: it would remove its socket some time later, which may be another's by then.
    children_.kill(agent_);
    ::unlink(socket_.c_str());
}

Result<AgentConnection> LocalKeys::connect() {
    if (phase_ == Phase::none)
        if (Result<void> started = start_agent(); !started)
            return started.error();
    if (phase_ == Phase::ready) {
        Result<AgentConnection> connection = dial_agent(socket_);
        if (connection || connection.error().code != ENOENT)
            return connection;
        // Its name was deleted, with the runtime directory perhaps: nobody reaches it any more.
        why_none_ = fmt::format("the socket of the private ssh-agent, '{}', was deleted",
                                escaped(socket_));
        log::warning("{}: it is started anew", why_none_);
        children_.kill(std::exchange(agent_, 0));
        phase_ = Phase::none;
        if (Result<void> started = start_agent(); !started)
            return started.error();
    }
    if (phase_ == Phase::starting && dial_agent(socket_)) {
        phase_ = Phase::loading;
        find_keys();
        load_next();
    }
    return Error{phase_ == Phase::starting ? "the private ssh-agent is starting"
                                           : "the private ssh-agent is being given its keys",
                 EAGAIN};
}

Result<void> LocalKeys::start_agent() {
    if (started_ && Clock::now() - *started_ < between_starts)
        return Error{why_none_, ECONNREFUSED};
    started_ = Clock::now();
    ::unlink(socket_.c_str());
    const Result<pid_t> pid = children_.start({.words = {"ssh-agent", "-D", "-a", socket_},
                                               .environment = environment_without_prompts(),
                                               .death_signal = SIGKILL},
                                              [this](int status) { on_agent_end(status); });
    if (!pid) {
        why_none_ = pid.error().message;
        return pid.error();
    }
    agent_ = *pid;
    phase_ = Phase::starting;
    return {};
}

void LocalKeys::on_agent_end(int status) {
    why_none_ = fmt::format("the private ssh-agent {}", describe_end(status));
    log::warning("{}", why_none_);
    stop_loading();
    agent_ = 0;
    phase_ = Phase::none;
    ::unlink(socket_.c_str());
}

void LocalKeys::find_keys() {
    unloaded_.clear();
    for (const std::string_view name : default_keys) {
        const std::string file = fmt::format("{}/{}", key_directory_, name);
        if (::access(file.c_str(), F_OK) == 0)
            unloaded_.push_back(file);
    }
}

// One ssh-add a file: it does not say of which of several it wanted the passphrase.

void LocalKeys::load_next() {
    for (; !unloaded_.empty(); unloaded_.pop_front()) {
        const Result<void> started = start_adding();
        if (started)
            return;
        log::warning("'{}' is left out: {}", escaped(unloaded_.front()), started.error().message);
    }
    phase_ = Phase::ready;
}

Result<void> LocalKeys::start_adding() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return system_error("cannot make a pipe", errno);
    output_.reset(ends[0]);
    const UniqueFd writing_end(ends[1]);
    std::vector<std::string> environment = environment_without_prompts();
    environment.push_back("SSH_AUTH_SOCK=" + socket_);
    const Result<pid_t> pid = children_.start({.words = {"ssh-add", unloaded_.front()},
                                               .environment = std::move(environment),
                                               .error = writing_end.get(),
                                               .death_signal = SIGKILL},
                                              [this](int status) { on_added(status); });
    if (!pid)
        return pid.error();
    adding_ = *pid;
    too_slow_.start(longest_load);
    return {};
}

void LocalKeys::on_added(int status) {
    too_slow_.pause();
    adding_ = 0;
    collect_output();
    if (status != 0)
        tell_left_out();
    unloaded_.pop_front();
    load_next();
}

void LocalKeys::on_adding_too_slow() {
    children_.kill(std::exchange(adding_, 0));
    log::warning("'{}' is left out: ssh-add takes too long", escaped(unloaded_.front()));
    unloaded_.pop_front();
    load_next();
}

void LocalKeys::stop_loading() {
    too_slow_.pause();
    unloaded_.clear();
    if (adding_ != 0)
        children_.kill(std::exchange(adding_, 0));
}

void LocalKeys::collect_output() {
    char buffer[most_output];
    const ssize_t count = ::read(output_.get(), buffer, sizeof buffer);
    printed_.assign(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
    output_.reset();
}

void LocalKeys::tell_left_out() const {
    const std::string file = escaped(unloaded_.front());
    if (is_open_to_others(unloaded_.front()))
        log::warning("'{0}' is left out, for others can read it: chmod 600 '{0}', then livesock "
                     "restart",
                     file);
    else if (printed_.find("Enter passphrase") != std::string::npos)
        log::warning("'{0}' is left out, for it is encrypted and nobody is asked for a passphrase: "
                     "SSH_AUTH_SOCK='{1}' ssh-add '{0}'",
                     file, escaped(socket_));
    else
        log::warning("'{}' is left out: ssh-add says: {}", file, escaped(last_line(printed_)));
}

} // namespace livesock
