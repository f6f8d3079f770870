// A process that has a certain path as its SSH_AUTH_SOCK.
#pragma once

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <system_error>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace livesock {

/// sleep(1), until it is destroyed.
class ProcessWithSocket {
  public:
    /// Returns when the program runs.
    explicit ProcessWithSocket(const std::string& path) {
        std::string variable = "SSH_AUTH_SOCK=" + path;
        char program[] = "sleep";
        char seconds[] = "1000";
        char* const words[] = {program, seconds, nullptr};
        char* const environment[] = {variable.data(), nullptr};
        if (const int code = ::posix_spawnp(&pid_, program, nullptr, nullptr, words, environment))
            throw std::system_error(code, std::generic_category(), "posix_spawnp");
        wait_for_environment();
    }
    ProcessWithSocket(const ProcessWithSocket&) = delete;
    ProcessWithSocket& operator=(const ProcessWithSocket&) = delete;
    ~ProcessWithSocket() {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR)
            ;
    }

    pid_t pid() const { return pid_; }

  private:
    /// A parent goes on (vfork(2)) before the kernel knows where the new program's environment is.
    void wait_for_environment() const {
        const std::string file = "/proc/" + std::to_string(pid_) + "/environ";
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (std::ifstream(file).get() == std::ifstream::traits_type::eof() &&
               std::chrono::steady_clock::now() < deadline)
            ;
    }

    pid_t pid_ = 0;
};

} // namespace livesock
