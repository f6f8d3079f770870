#include "tools/own_socket.hpp"

#include "preload/report.h"
#include "supervisor/base/clock.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <string_view>

#include <fnmatch.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace livesock {
namespace {

using namespace std::chrono_literals;

constexpr auto answer_patience = 500ms;

/// SSH_AGENTC_REQUEST_IDENTITIES, and how an answer begins (RFC 9987): its length in 4 bytes.
constexpr char question[] = {0, 0, 0, 1, 11};
constexpr std::size_t length_size = 4;
constexpr std::size_t longest_answer = 256 * 1024;

/// How long the answer that begins with `received` is with its length; nothing while that is not
/// known.
std::size_t whole_length(const std::string& received) {
    if (received.size() < length_size)
        return 0;
    std::size_t length = 0;
    for (std::size_t i = 0; i < length_size; ++i)
        length = length << 8 | static_cast<unsigned char>(received[i]);
    return length + length_size;
}

bool wait_until(int fd, TimePoint deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(std::max<long long>(left.count(), 0))) > 0;
}

/// Whether both paths lead to the same file.
bool is_same(const std::string& one, const std::string& other) {
    // Not std::filesystem::equivalent(): of two sockets libstdc++ says that it cannot tell.
    struct stat first {};
    struct stat second {};
    return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

} // namespace

bool leads_back(const std::string& path, const std::string& directory) {
    const std::string stable = directory + '/' + agent_socket_name;
    return path == stable || path == directory + '/' + live_link_name || is_same(path, stable);
}

bool has_forwarded_shape(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (!path.starts_with('/'))
        return false;
    const std::string name = path.substr(slash + 1);
    return ::fnmatch("/tmp/ssh-?*/agent.?*", path.c_str(), FNM_PATHNAME) == 0 ||
           (std::string_view(path).substr(0, slash).ends_with("/.ssh/agent") &&
            ::fnmatch("s.?*.sshd.?*", name.c_str(), 0) == 0) ||
           ::fnmatch("vscode-ssh-auth-?*", name.c_str(), 0) == 0;
}

UniqueFd connect_past_shim(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd || path.empty() || path.size() > longest_socket_path) {
        errno = ENAMETOOLONG;
        return {};
    }
    std::copy(path.begin(), path.end(), std::begin(address.sun_path));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    if (::syscall(SYS_connect, fd.get(), &address, size) != 0)
        return {};
    return fd;
}

bool is_dead(const std::string& path) {
    return !connect_past_shim(path) &&
           (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR);
}

bool is_led_by_shim(const std::string& path) {
    return has_forwarded_shape(path) && is_dead(path);
}

SocketState ask_at(const std::string& path) {
    if (path.empty())
        return SocketState::unset;
    const UniqueFd socket = connect_past_shim(path);
    if (!socket)
        return errno == EAGAIN ? SocketState::silent : SocketState::gone;
    const Result<Peer> peer = peer_of(socket.get());
    if (!peer || !is_trusted_uid(peer->uid))
        return SocketState::strangers;
    const TimePoint deadline = Clock::now() + answer_patience;
    if (::send(socket.get(), question, sizeof question, MSG_NOSIGNAL) != sizeof question)
        return SocketState::gone;
    std::string received;
    while (wait_until(socket.get(), deadline)) {
        char chunk[4096];
        const ssize_t count = ::recv(socket.get(), chunk, sizeof chunk, MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
            return SocketState::gone;
        received.append(chunk, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        const std::size_t whole = whole_length(received);
        if (whole > longest_answer)
            return SocketState::gone;
        if (whole > length_size && received.size() >= whole)
            return SocketState::answers;
    }
    return SocketState::silent;
}

} // namespace livesock
