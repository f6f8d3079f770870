// What a process does to itself is tested in one that ends with the test.
#pragma once

#include "tests/support/temp_dir.hpp"

#include <functional>
#include <string>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace livesock {

/// How a child process ended, and what it wrote meanwhile.
struct Ended {
    int status = -1; ///< the exit status; -1 if it was killed
    std::string output;
    std::string error;
    std::string note; ///< what note() was given, in it or in its children
};

/// Runs `act` in a child process, whose standard output and error are files; the child exits with 0
/// if it returns. Children that it leaves behind have ended, too, when this returns. A child that
/// hangs is killed.
class InChild {
  public:
    Ended run(const std::function<void(const InChild&)>& act) {
        REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        const std::string output = temp_.write("output", "");
        const std::string error = temp_.write("error", "");
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::alarm(20);
            ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
            ::dup2(::open(output.c_str(), O_WRONLY | O_APPEND), STDOUT_FILENO);
            ::dup2(::open(error.c_str(), O_WRONLY | O_APPEND), STDERR_FILENO);
            act(*this);
            ::_exit(0);
        }
        Ended ended;
        int status = 0;
        if (::waitpid(child, &status, 0) == child && WIFEXITED(status))
            ended.status = WEXITSTATUS(status);
        while (::waitpid(-1, nullptr, 0) > 0) {
        }
        ended.output = temp_.read("output");
        ended.error = temp_.read("error");
        ended.note = temp_.read("note");
        return ended;
    }

    /// For the child: keeps `text` for the test, whatever became of the descriptors.
    void note(const std::string& text) const { temp_.write("note", text); }

    const TempDir& temp() const { return temp_; }

  private:
    TempDir temp_;
};

} // namespace livesock
