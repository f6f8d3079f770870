#include "supervisor/daemon/hand_over.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

/// Raised when a field of the estate changes its meaning.
constexpr std::string_view estate_version = "2";
constexpr std::size_t fixed_fields = 7;

constexpr std::string_view estate_kind = "estate";
constexpr std::string_view failed_kind = "failed";
constexpr std::string_view take_kind = "take";
constexpr std::string_view listener_kind = "listener";
constexpr std::string_view released_kind = "released";
constexpr std::string_view client_kind = "client";
constexpr std::string_view control_kind = "control";

/// A successor that has neither taken nor failed by then is given up.
constexpr auto successor_limit = 8s;

/// What the running supervisor sent is there before its successor begins.
constexpr auto estate_limit = std::chrono::milliseconds(1s);

constexpr std::string_view deleted_mark = " (deleted)";

constexpr std::string_view yes = "1";

} // namespace

std::vector<std::string> fields_of(const Estate& estate) {
    std::vector<std::string> fields{std::string(estate_version),
                                    estate.directory,
                                    estate.log_file,
                                    std::string(estate.agent_socket_is_passed ? yes : ""),
                                    estate.pinned.word,
                                    estate.pinned.path,
                                    estate.pinned.client};
    fields.insert(fields.end(), estate.registered.begin(), estate.registered.end());
    return fields;
}

Result<Estate> read_estate(const HandOverMessage& message) {
    if (message.fields.size() < fixed_fields || message.field(0) != estate_version)
        return Error{"the running supervisor is of another version and cannot hand over: run "
                     "'livesock stop', then 'livesock start'"};
    return Estate{.directory = std::string(message.field(1)),
                  .log_file = std::string(message.field(2)),
                  .agent_socket_is_passed = message.field(3) == yes,
                  .pinned = {.word = std::string(message.field(4)),
                             .path = std::string(message.field(5)),
                             .client = std::string(message.field(6))},
                  .registered = {message.fields.begin() + fixed_fields, message.fields.end()}};
}

std::vector<std::string> fields_of(std::span<const SessionBinding> bindings) {
    std::vector<std::string> fields;
    for (const SessionBinding& binding : bindings) {
        fields.push_back(binding.frame);
        fields.emplace_back(binding.was_accepted ? yes : "");
    }
    return fields;
}

std::vector<SessionBinding> read_bindings(const HandOverMessage& message) {
    std::vector<SessionBinding> bindings;
    for (std::size_t i = 0; i + 1 < message.fields.size(); i += 2)
        bindings.push_back({message.fields[i], message.fields[i + 1] == yes});
    return bindings;
}

std::string own_program() {
    char path[4096];
    const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    std::string program(path, length > 0 ? static_cast<std::size_t>(length) : 0);
    if (program.ends_with(deleted_mark))
        program.resize(program.size() - deleted_mark.size());
    return program;
}

// The running supervisor's end.

Result<std::unique_ptr<Successor>>
Successor::start(EventLoop& loop, const std::string& program, std::vector<std::string> words,
                 const Estate& estate, std::span<const int> sockets, Callbacks callbacks) {
    Result<std::pair<HandOverChannel, HandOverChannel>> ends = HandOverChannel::make_pair();
    if (!ends)
        return ends.error();
    HandOverChannel& ours = ends->first;
    const HandOverChannel& theirs = ends->second;
    if (Result<void> sent = ours.send(estate_kind, fields_of(estate), sockets); !sent)
        return sent.error();
    words.insert(words.end(), {"--successor", std::to_string(theirs.fd())});
    std::string name = program;
    std::vector<char*> arguments{name.data()};
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child < 0)
        return system_error("cannot start the new supervisor", errno);
    if (child == 0) {
        ::fcntl(theirs.fd(), F_SETFD, 0);
        ::execv(program.c_str(), arguments.data());
        const std::string why =
            fmt::format("cannot execute '{}': {}", escaped(program), std::strerror(errno));
        // An end that closes with something unread resets the other: what it said would be lost.
        [[maybe_unused]] const Result<HandOverMessage> unread = theirs.receive();
        [[maybe_unused]] const Result<void> told = theirs.send(failed_kind, std::span(&why, 1));
        ::_exit(EXIT_FAILURE);
    }
    return std::unique_ptr<Successor>(
        new Successor(loop, std::move(ours), child, std::move(callbacks)));
}

Successor::Successor(EventLoop& loop, HandOverChannel channel, pid_t pid, Callbacks callbacks)
    : channel_(std::move(channel))
    , pid_(pid)
    , callbacks_(std::move(callbacks))
    , readable_(loop.on_readable(channel_.fd(), [this] { on_readable(); }))
    , patience_(loop.timer([this] { fail("it did not begin to serve in time"); })) {
    readable_.resume();
    patience_.start(successor_limit);
}

Successor::~Successor() {
    end();
}

/// Kills the child, unless it is the supervisor by now.
void Successor::end() {
    if (pid_ <= 0 || is_released_)
        return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
}

void Successor::on_readable() {
    const Result<HandOverMessage> message = channel_.receive();
    if (!message && would_block(message.error().code))
        return;
    if (is_released_) {
        if (!message)
            readable_.pause();
        return;
    }
    if (message && message->kind == failed_kind)
        fail(std::string(message->field(0)));
    else if (!message || is_hung_up(channel_.fd())) // perhaps after it had begun to accept
        fail("it ended while it started: see its log");
    else if (message->kind == take_kind)
        callbacks_.take();
}

void Successor::fail(const std::string& why) {
    readable_.pause();
    patience_.pause();
    end();
    callbacks_.failed(why);
}

void Successor::release(const Estate& estate) {
    is_released_ = true;
    patience_.pause();
    // If it has ended by now, it has ended as our successor.
    [[maybe_unused]] const Result<void> sent = channel_.send(released_kind, fields_of(estate));
}

void Successor::take_listener(const std::string& address, int fd) const {
    // If it does not get it, it opens one of its own when we have ended.
    [[maybe_unused]] const Result<void> sent =
        channel_.send(listener_kind, std::span(&address, 1), std::span(&fd, 1));
}

bool Successor::take_client(int fd, std::span<const SessionBinding> bindings) const {
    return channel_.send(client_kind, fields_of(bindings), std::span(&fd, 1)).ok();
}

bool Successor::take_control(int fd, const std::string& line) const {
    return channel_.send(control_kind, std::span(&line, 1), std::span(&fd, 1)).ok();
}

// The successor's end.

Result<std::unique_ptr<Predecessor>> Predecessor::meet(int fd) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return Error{"--successor is for livesockd itself: use 'livesock restart'"};
    std::unique_ptr<Predecessor> predecessor(new Predecessor(HandOverChannel(UniqueFd(fd))));
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, static_cast<int>(estate_limit.count()));
    Result<HandOverMessage> message = predecessor->channel_.receive();
    if (!message)
        return message.error();
    Result<Estate> estate = read_estate(*message);
    if (message->kind != estate_kind || message->fds.size() != 3)
        estate = Error{"the running supervisor does not say what to go on with"};
    if (!estate) {
        refuse(predecessor->channel_, estate.error().message);
        return estate.error();
    }
    predecessor->estate = std::move(*estate);
    predecessor->lock = std::move(message->fds[0]);
    predecessor->agent_socket = std::move(message->fds[1]);
    predecessor->control_socket = std::move(message->fds[2]);
    return predecessor;
}

void Predecessor::refuse(const HandOverChannel& channel, const std::string& why) {
    [[maybe_unused]] const Result<void> told = channel.send(failed_kind, std::span(&why, 1));
}

void Predecessor::take(EventLoop& loop, Callbacks callbacks) {
    callbacks_ = std::move(callbacks);
    readable_ = loop.on_readable(channel_.fd(), [this] { on_readable(); });
    readable_.resume();
    // Whoever does not take this has been killed: there is nobody but us.
    [[maybe_unused]] const Result<void> told = channel_.send(take_kind);
}

void Predecessor::on_readable() {
    Result<HandOverMessage> message = channel_.receive();
    if (message) {
        on_message(*message);
        return;
    }
    if (would_block(message.error().code))
        return;
    readable_.pause();
    is_over_ = true;
    if (!std::exchange(has_released_, true))
        callbacks_.released(estate);
}

void Predecessor::on_message(HandOverMessage& message) {
    if (message.kind == released_kind) {
        if (Result<Estate> last = read_estate(message))
            estate = std::move(*last);
        if (!std::exchange(has_released_, true))
            callbacks_.released(estate);
    } else if (message.kind == listener_kind && message.fds.size() == 1) {
        callbacks_.listener(std::string(message.field(0)), std::move(message.fds[0]));
    } else if (message.kind == client_kind && message.fds.size() == 1) {
        callbacks_.client(std::move(message.fds[0]), read_bindings(message));
    } else if (message.kind == control_kind && message.fds.size() == 1) {
        callbacks_.control(std::move(message.fds[0]), std::string(message.field(0)));
    }
}

} // namespace livesock
