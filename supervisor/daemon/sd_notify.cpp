#include "supervisor/daemon/sd_notify.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace livesock {
namespace {

/// The first descriptor that is passed (SD_LISTEN_FDS_START).
constexpr int first_passed = 3;
constexpr int most_passed = 64;

/// Which of `count` descriptors is meant, by the colon-separated `names`.
int index_of_agent(int count, std::string_view names) {
    for (int i = 0; i < count && !names.empty(); ++i) {
        const std::size_t end = names.find(':');
        if (names.substr(0, end) == "agent")
            return i;
        names.remove_prefix(end == std::string_view::npos ? names.size() : end + 1);
    }
    return count == 1 ? 0 : -1;
}

bool is_listening(int fd) {
    int value = 0;
    socklen_t length = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0;
}

int passed_sockets() {
    const bool is_for_us = std::atoi(environment("LISTEN_PID").c_str()) == ::getpid();
    return is_for_us ? std::atoi(environment("LISTEN_FDS").c_str()) : 0;
}

} // namespace

void notify_service_manager(std::string_view state) {
    const std::string path = environment("NOTIFY_SOCKET");
    sockaddr_un address{};
    if (path.size() < 2 || path.size() >= sizeof address.sun_path)
        return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    // "@name" is how an abstract socket is written.
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address), length);
}

bool is_passed_sockets() {
    return passed_sockets() > 0;
}

Result<UniqueFd> take_passed_socket(const std::string& path) {
    const int count = passed_sockets();
    const std::string names = environment("LISTEN_FDNAMES");
    for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        ::unsetenv(name);
    if (count < 1 || count > most_passed)
        return UniqueFd();
    const int index = index_of_agent(count, names);
    if (index < 0)
        return Error{"several sockets are passed by the service manager: name the agent's one "
                     "FileDescriptorName=agent"};
    UniqueFd fd(first_passed + index);
    const std::string bound = bound_path(fd.get());
    if (!is_listening(fd.get()) || bound != path)
        return Error{fmt::format("the socket that the service manager passes listens at '{}': set "
                                 "ListenStream={}",
                                 escaped(bound), path)};
    if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0)
        return system_error("cannot use the socket that the service manager passes", errno);
    return fd;
}

} // namespace livesock
