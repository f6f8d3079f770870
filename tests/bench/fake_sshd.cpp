#include "tests/bench/fake_sshd.hpp"

#include "tests/bench/agent_connection.hpp"
#include "tests/bench/failure.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace livesock::bench {
namespace {

/// One key, "ssh-ed25519" with 32 zero bytes, without a comment (RFC 9987, 3.5).
constexpr std::array<std::uint8_t, 68> one_identity{
    0,  0,   0,   64,  12,  0,   0,   0,   1,   0,   0,   0,   51, 0, 0, 0,
    11, 's', 's', 'h', '-', 'e', 'd', '2', '5', '5', '1', '9', 0,  0, 0, 32};
constexpr std::array<std::uint8_t, 5> failure{0, 0, 0, 1, 5};
constexpr std::uint8_t request_identities = 11;

UniqueFd listen_at_path(const std::string& path) {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const sockaddr_un address = socket_address(path);
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd.get(), 128) != 0)
        fail_with_errno("listening at '" + path + "'");
    return fd;
}

std::string make_session_path() {
    std::string directory = "/tmp/ssh-XXXXXXXXXX";
    if (mkdtemp(directory.data()) == nullptr)
        fail_with_errno("making '" + directory + "'");
    static int pid = 2000;
    return directory + "/agent." + std::to_string(++pid);
}

} // namespace

FakeSshd::FakeSshd()
    : epoll_(epoll_create1(EPOLL_CLOEXEC))
    , wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = wake_.get()}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
    sigset_t all, before;
    sigfillset(&all); // signals are the main thread's
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { serve(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

FakeSshd::~FakeSshd() {
    std::vector<std::string> paths;
    {
        const std::lock_guard guard(mutex_);
        stopping_ = true;
        for (const auto& [path, login] : logins_)
            paths.push_back(path);
    }
    eventfd_write(wake_.get(), 1);
    thread_.join();
    for (const std::string& path : paths)
        log_out(path);
}

std::string FakeSshd::log_in() {
    const std::string path = make_session_path();
    const std::lock_guard guard(mutex_);
    Login& login = logins_[path];
    login.listener = listen_at_path(path);
    epoll_event event{.events = EPOLLIN, .data = {.fd = login.listener.get()}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, login.listener.get(), &event);
    return path;
}

void FakeSshd::log_out(const std::string& path) {
    unlink(path.c_str());
    rmdir(path.substr(0, path.rfind('/')).c_str());
    const std::lock_guard guard(mutex_);
    logins_.erase(path);
}

void FakeSshd::serve() {
    while (true) {
        std::array<epoll_event, 64> events;
        const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
        const std::lock_guard guard(mutex_);
        if (stopping_)
            return;
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            for (auto& [path, login] : logins_) {
                auto& open = login.connections;
                if (login.listener.get() == fd)
                    accept_at(login);
                else if (std::erase_if(open, [&](const UniqueFd& connection) {
                             return connection.get() == fd && !answer(fd);
                         }) > 0)
                    break;
            }
        }
    }
}

void FakeSshd::accept_at(Login& login) {
    UniqueFd fd(accept4(login.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd)
        return;
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd.get()}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event);
    login.connections.push_back(std::move(fd));
}

/// Answers every message that has arrived; false when the other side has gone. The messages of a
/// probe are so short that each arrives whole.
bool FakeSshd::answer(int fd) {
    std::array<std::uint8_t, 4096> bytes;
    const ssize_t size = recv(fd, bytes.data(), bytes.size(), 0);
    if (size < 0 && errno == EAGAIN)
        return true;
    if (size <= 0)
        return false;
    const auto end = static_cast<std::size_t>(size);
    for (std::size_t at = 0; at + 5 <= end;
         at += 4 + (std::size_t{bytes[at + 2]} << 8) + bytes[at + 3]) {
        const bool list = bytes[at + 4] == request_identities;
        const void* const data = list ? one_identity.data() : failure.data();
        send(fd, data, list ? one_identity.size() : failure.size(), MSG_NOSIGNAL);
    }
    return true;
}

void leave_dead_sessions(int count) {
    for (int i = 0; i < count; ++i) {
        check_interrupted();
        const UniqueFd closed_at_once = listen_at_path(make_session_path());
    }
}

} // namespace livesock::bench
