#include "supervisor/control/client.hpp"

#include "preload/report.h"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/process_files.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

extern "C" { // which the header forgets in glibc 2.36
#include <sys/pidfd.h>
}

namespace livesock {
namespace {

using nlohmann::json;

/// Whether `fd` became ready for `events` (or failed) before `deadline`.
bool wait_for(int fd, short events, std::optional<TimePoint> deadline) {
    for (;;) {
        int milliseconds = -1;
        if (deadline) {
            // Rounded up: a wait of less than a millisecond must not become a busy loop.
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
            milliseconds = static_cast<int>(
                std::clamp<std::int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
        }
        pollfd entry{fd, events, 0};
        const int ready = ::poll(&entry, 1, milliseconds);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
        if (deadline && Clock::now() >= *deadline)
            return false;
    }
}

Result<std::string> request_line(const ControlRequest& request) {
    try {
        json object{{"command", request.command}};
        for (const auto& [name, value] : request.members) {
            json& member = object[name];
            std::visit([&](const auto& plain) { member = plain; }, value);
        }
        return object.dump() + '\n';
    } catch (const json::exception&) {
        return Error{"a name that is not valid UTF-8 cannot be told to the supervisor", EILSEQ};
    }
}

std::string text_or_empty(const json& object, const char* name) {
    const auto member = object.find(name);
    return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

Result<ControlAnswer> parse_answer(std::string line, const std::string& directory) {
    const json object = json::parse(line, nullptr, /* allow_exceptions */ false);
    if (!object.is_object())
        return Error{fmt::format("what answers at '{}/{}' is no supervisor: its answer is no JSON "
                                 "object",
                                 directory, control_socket_name),
                     EBADMSG};
    ControlAnswer answer;
    const auto ok = object.find("ok");
    answer.ok = ok != object.end() && ok->is_boolean() && ok->get<bool>();
    answer.error = printable(text_or_empty(object, "error"));
    answer.code = text_or_empty(object, "code");
    answer.text = std::move(line);
    return answer;
}

std::optional<TimePoint> deadline_in(std::optional<Duration> limit) {
    return limit ? std::optional(Clock::now() + *limit) : std::nullopt;
}

bool nobody_there(int code) {
    return code == ENOENT || code == ECONNREFUSED;
}

/// dial() never waits; a full backlog (EAGAIN) means that nobody has accepted for a long time.
Error worded(const Error& error, const std::string& directory) {
    if (nobody_there(error.code))
        return Error{fmt::format("no supervisor is running in '{}'", directory), ENOENT};
    if (error.code == EAGAIN)
        return Error{fmt::format("the supervisor in '{}' accepts no connections: end it by its pid "
                                 "(first line of '{}/{}') and start it again",
                                 directory, directory, lock_name),
                     ETIMEDOUT};
    return error;
}

} // namespace

ControlClient::ControlClient(UniqueFd fd, std::string directory, Peer peer)
    : fd_(std::move(fd))
    , directory_(std::move(directory))
    , peer_(peer) {}

ControlClient ControlClient::on(UniqueFd fd, std::string directory) {
    return {std::move(fd), std::move(directory), Peer{}};
}

Result<ControlClient> ControlClient::connect(const std::string& directory) {
    if (const Result<UniqueFd> checked = open_private_directory(directory); !checked)
        return checked.error();
    const std::string path = directory + '/' + control_socket_name;
    Result<UniqueFd> dialled = dial(path);
    if (!dialled)
        return worded(dialled.error(), directory);
    const Result<Peer> peer = peer_of(dialled->get());
    if (!peer)
        return peer.error();
    if (peer->uid != ::geteuid())
        return Error{fmt::format("'{}' is served by uid {}, not by you: remove it, then run "
                                 "'livesock start'",
                                 path, peer->uid),
                     EPERM};
    return ControlClient(*std::move(dialled), directory, *peer);
}

Error ControlClient::no_answer() const {
    const std::string who = peer_.pid > 0 ? fmt::format(" (pid {})", peer_.pid) : "";
    if (const auto process = process_facts(peer_.pid); process && process->is_stopped)
        return Error{fmt::format("the supervisor{} in '{}' is stopped, by a signal or a debugger: "
                                 "'kill -CONT {}' has it go on, with what was asked meanwhile",
                                 who, directory_, peer_.pid),
                     ETIMEDOUT};
    const std::string cure = peer_.pid > 0 ? fmt::format("'kill -9 {}'", peer_.pid) : "kill it";
    return Error{fmt::format("the supervisor{} in '{}' does not answer: if it stays so, {} and "
                             "'livesock start'",
                             who, directory_, cure),
                 ETIMEDOUT};
}

Error ControlClient::ended() const {
    return Error{fmt::format("the supervisor in '{}' ended before it answered: see 'livesock log'",
                             directory_),
                 ECONNRESET};
}

Result<void> ControlClient::send(std::string_view line, std::optional<TimePoint> deadline) {
    while (!line.empty()) {
        const ssize_t sent =
            ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            line.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno == EAGAIN && !wait_for(fd_.get(), POLLOUT, deadline))
            return no_answer();
        else if (errno != EAGAIN && errno != EINTR)
            return ended();
    }
    return {};
}

Result<std::string> ControlClient::receive(std::optional<TimePoint> deadline) {
    std::size_t searched = 0;
    for (;;) {
        if (const std::size_t end = received_.find('\n', searched); end != std::string::npos) {
            std::string line = received_.substr(0, end);
            received_.erase(0, end + 1);
            return line;
        }
        searched = received_.size();
        if (searched > longest_control_answer)
            return Error{
                fmt::format("the answer of the supervisor in '{}' is too long", directory_),
                EMSGSIZE};
        if (!wait_for(fd_.get(), POLLIN, deadline))
            return no_answer();
        char chunk[64 * 1024];
        const ssize_t count = ::recv(fd_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
        if (count > 0)
            received_.append(chunk, static_cast<std::size_t>(count));
        else if (count == 0 || (errno != EAGAIN && errno != EINTR))
            return ended();
    }
}

Result<void> ControlClient::tell(const ControlRequest& request, std::optional<Duration> limit) {
    const Result<std::string> line = request_line(request);
    if (!line)
        return line.error();
    return send(*line, deadline_in(limit));
}

Result<ControlAnswer> ControlClient::take_answer(std::optional<Duration> limit) {
    Result<std::string> answer = receive(deadline_in(limit));
    if (!answer)
        return answer.error();
    return parse_answer(*std::move(answer), directory_);
}

Result<ControlAnswer> ControlClient::ask(const ControlRequest& request,
                                         std::optional<Duration> limit) {
    const TimePoint began = Clock::now();
    if (const Result<void> sent = tell(request, limit); !sent)
        return sent.error();
    return take_answer(limit ? std::optional(*limit - (Clock::now() - began)) : std::nullopt);
}

Result<void> ControlClient::wait_for_end(Duration limit) {
    const TimePoint deadline = Clock::now() + limit;
    // Taken before the connection ends, while the pid still is the supervisor's. SO_PEERCRED gives
    // it as it is called in this pid namespace, 0 if it has no name here.
    const UniqueFd process(peer_.pid > 0 ? ::pidfd_open(peer_.pid, 0) : -1);
    const Error too_long{
        fmt::format("the supervisor in '{}' has not ended yet: see 'livesock log'", directory_),
        ETIMEDOUT};
    char rest[256];
    ssize_t count = 1;
    while (count != 0) {
        if (!wait_for(fd_.get(), POLLIN, deadline))
            return too_long;
        count = ::recv(fd_.get(), rest, sizeof rest, MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            break;
    }
    // The kernel closes descriptors one by one: the lock may still be held for a moment.
    if (process && !wait_for(process.get(), POLLIN, deadline))
        return too_long;
    return {};
}

} // namespace livesock
