// A process of another user, as a client.
#pragma once

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/run_until.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace livesock {

/// Another user.
inline constexpr uid_t nobody = 65534;

enum class Reception {
    unknown,
    not_connected, ///< it could not even connect
    refused,       ///< its connection was closed without an answer
    answered,
};

/// What becomes of a stranger who sends `request` at the socket `path`, in `directory` below
/// `parent`, which are opened for everybody first. Only for root.
inline Reception reception_of_stranger(EventLoop& loop, const std::string& parent,
                                       const std::string& directory, const std::string& path,
                                       std::string_view request) {
    for (const std::string& open : {parent, directory})
        REQUIRE(::chmod(open.c_str(), 0755) == 0);
    REQUIRE(::chmod(path.c_str(), 0666) == 0);
    int report[2] = {-1, -1};
    REQUIRE(::pipe2(report, O_NONBLOCK | O_CLOEXEC) == 0);
    const UniqueFd read_end(report[0]);
    UniqueFd write_end(report[1]);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        auto outcome = static_cast<char>(Reception::not_connected);
        if (::setresuid(nobody, nobody, nobody) == 0) {
            if (const Result<UniqueFd> fd = dial(path)) {
                ::fcntl(fd->get(), F_SETFL, 0);
                (void)!::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL);
                char byte = 0;
                outcome = static_cast<char>(
                    ::recv(fd->get(), &byte, 1, 0) > 0 ? Reception::answered : Reception::refused);
            }
        }
        (void)!::write(write_end.get(), &outcome, 1);
        ::_exit(0);
    }
    write_end.reset();
    char outcome = 0;
    CHECK(run_until(loop, [&] { return ::read(read_end.get(), &outcome, 1) == 1; }));
    ::waitpid(child, nullptr, 0);
    return static_cast<Reception>(outcome);
}

} // namespace livesock
