#include "supervisor/base/spawn.hpp"

#include "tests/support/contains.hpp"

#include "supervisor/base/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <cerrno>
#include <csignal>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace livesock;

namespace {

/// Runs a shell command to its end and returns what it printed.
std::string printed_by(const TempDir& temp, const std::string& script) {
    const std::string path = temp.write("out", "");
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const UniqueFd out(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    const Result<pid_t> pid = spawn({.words = {"sh", "-c", script},
                                     .environment = environment_of_children(),
                                     .input = null.get(),
                                     .output = out.get(),
                                     .error = null.get()});
    REQUIRE(pid);
    int status = 0;
    REQUIRE(::waitpid(*pid, &status, 0) == *pid);
    CHECK(status == 0);
    return temp.read("out");
}

Error refusal(const std::string& file) {
    const Result<pid_t> pid =
        spawn({.words = {file}, .environment = {}, .input = 0, .output = 1, .error = 2});
    REQUIRE(!pid);
    return pid.error();
}

} // namespace

TEST_CASE("a program is found in PATH and gets its words as they are") {
    const TempDir temp;
    CHECK(printed_by(temp, "printf %s '$X *'") == "$X *");
}

TEST_CASE("a program has a session of its own") {
    const TempDir temp;
    CHECK(printed_by(temp, "set -- $(cat /proc/$$/stat); [ $5 = $$ ] && [ $6 = $$ ] && echo own") ==
          "own\n");
}

TEST_CASE("a program inherits nothing but the three descriptors") {
    const TempDir temp;
    const UniqueFd leaking(::open("/dev/null", O_RDWR)); // not close-on-exec
    CHECK(
        printed_by(
            temp,
            "for fd in 3 4 5 6 7 8 9 20; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; echo none") ==
        "none\n");
}

TEST_CASE("no signal is blocked or ignored in a program, and ours stay as they were") {
    const TempDir temp;
    sigset_t some;
    sigset_t before;
    ::sigemptyset(&some);
    ::sigaddset(&some, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &some, &before);
    const auto former = std::signal(SIGPIPE, SIG_IGN);
    CHECK(printed_by(temp, "grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\n'") ==
          "SigBlk:\t0000000000000000SigIgn:\t0000000000000000");
    sigset_t now;
    ::sigprocmask(SIG_SETMASK, &before, &now);
    CHECK(::sigismember(&now, SIGUSR1) == 1);
    CHECK(::sigismember(&now, SIGUSR2) == 0);
    const bool is_ignored = std::signal(SIGPIPE, former) == SIG_IGN;
    CHECK(is_ignored);
}

TEST_CASE("an agent's socket of ours is not handed on") {
    const TempDir temp;
    const ScopedVariable socket("SSH_AUTH_SOCK", "/a");
    const ScopedVariable notify("NOTIFY_SOCKET", "/b");
    const ScopedVariable other("LIVESOCK_TEST", "kept");
    CHECK(printed_by(temp, "echo ${SSH_AUTH_SOCK-}${NOTIFY_SOCKET-}$LIVESOCK_TEST") == "kept\n");
}

TEST_CASE("what cannot be executed is named, with the reason") {
    const TempDir temp;
    CHECK(contains(refusal("/nonexistent/relay").message,
                   "cannot execute '/nonexistent/relay': No such file"));
    CHECK(refusal("/nonexistent/relay").code == ENOENT);
    CHECK(contains(refusal("livesock-no-such-program").message,
                   "cannot execute 'livesock-no-such-program': it is in no directory of PATH"));
    CHECK(contains(refusal(temp.path()).message, "Permission denied"));
    CHECK(contains(refusal(temp.write("plain", "text")).message, "Permission denied"));
    const std::string script = temp.write("script", "#!/nonexistent/interpreter\n");
    REQUIRE(::chmod(script.c_str(), 0700) == 0);
    CHECK(contains(refusal(script).message, "the interpreter that it names is missing"));
    // None of them has left a process behind.
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}
