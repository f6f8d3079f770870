#include "supervisor/daemon/daemonize.hpp"

#include "tests/unit/daemon/in_child.hpp"

#include <csignal>

#include <sys/stat.h>

using namespace livesock;

namespace {

bool is_dev_null(int fd) {
    struct stat ours {};
    struct stat null {};
    return ::fstat(fd, &ours) == 0 && ::stat("/dev/null", &null) == 0 &&
           ours.st_rdev == null.st_rdev && S_ISCHR(ours.st_mode);
}

bool is_closed(int fd) {
    return ::fcntl(fd, F_GETFD) < 0;
}

/// The Readiness in the background; the process in the foreground does not return.
Readiness go_into_background() {
    Result<Readiness> readiness = daemonize();
    if (!readiness)
        ::_exit(99);
    return std::move(*readiness);
}

} // namespace

TEST_CASE("the foreground ends with success when that is reported, without a word") {
    InChild child;
    const Ended ended = child.run([](const InChild& test) {
        Readiness readiness = go_into_background();
        test.note("reported");
        readiness.report({});
    });
    CHECK(ended.status == 0);
    CHECK(ended.output.empty());
    CHECK(ended.error.empty());
    CHECK(ended.note == "reported");
}

TEST_CASE("the foreground does not wait for the end of the background") {
    InChild child;
    const std::string fifo = child.temp().entry("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const Ended ended = child.run([&](const InChild& test) {
        // Stands between the process that calls daemonize() and the test: it ends the background.
        const pid_t caller = ::fork();
        if (caller == 0) {
            Readiness readiness = go_into_background();
            ::alarm(20);
            readiness.report({});
            const int gate = ::open(fifo.c_str(), O_RDONLY);
            ::_exit(gate < 0);
        }
        int status = -1;
        ::waitpid(caller, &status, 0);
        test.note(std::to_string(status));
        const int gate = ::open(fifo.c_str(), O_WRONLY);
        ::_exit(gate < 0);
    });
    CHECK(ended.status == 0);
    CHECK(ended.note == "0");
}

TEST_CASE("an error that is reported is printed, and the foreground fails") {
    InChild child;
    std::string message;
    SUBCASE("a short one") {
        message = "cannot listen at '/run/x': no room";
    }
    SUBCASE("one of several reads") {
        message = std::string(3000, 'x') + "!";
    }
    const Ended ended = child.run([&](const InChild&) {
        Readiness readiness = go_into_background();
        readiness.report(Error{message});
    });
    CHECK(ended.status == 1);
    CHECK(ended.output.empty());
    CHECK(ended.error == "livesockd: " + message + "\n");
}

TEST_CASE("a background that ends without a report has failed") {
    InChild child;
    std::function<void(Readiness&)> end;
    SUBCASE("by exit") {
        end = [](Readiness&) { ::_exit(0); };
    }
    SUBCASE("by a signal") {
        end = [](Readiness&) { ::raise(SIGKILL); };
    }
    SUBCASE("by giving up") {
        end = [](Readiness& readiness) { readiness = Readiness(); };
    }
    const Ended ended = child.run([&](const InChild&) {
        Readiness readiness = go_into_background();
        end(readiness);
    });
    CHECK(ended.status == 1);
    CHECK(ended.error == "livesockd: it ended while it started\n");
}

TEST_CASE("only the first report counts, and a Readiness that is none takes one too") {
    InChild child;
    const Ended ended = child.run([](const InChild& test) {
        Readiness().report(Error{"nobody hears this"});
        Readiness readiness = go_into_background();
        readiness.report({});
        readiness.report(Error{"too late"});
        test.note("went on");
    });
    CHECK(ended.status == 0);
    CHECK(ended.error.empty());
    CHECK(ended.note == "went on");
}

TEST_CASE("the background has left the terminal, its directory and all descriptors") {
    InChild child;
    const Ended ended = child.run([](const InChild& test) {
        ::dup2(STDOUT_FILENO, 3);
        ::dup2(STDOUT_FILENO, 200);
        const pid_t caller = ::getpid();
        Readiness readiness = go_into_background();
        std::string wrong;
        const auto expect = [&](bool is_met, const char* what) {
            if (!is_met)
                wrong += std::string(what) + "; ";
        };
        expect(::getpid() != caller, "another process");
        expect(::getsid(0) == ::getpid(), "a session of its own");
        char directory[4096] = "";
        expect(::getcwd(directory, sizeof directory) != nullptr && std::string(directory) == "/",
               "the root directory");
        expect(is_dev_null(STDIN_FILENO), "no standard input");
        expect(is_dev_null(STDOUT_FILENO), "no standard output");
        expect(!is_closed(STDERR_FILENO) && !is_dev_null(STDERR_FILENO), "a standard error");
        expect(is_closed(200), "no descriptor from before");
        expect(::write(STDERR_FILENO, "log\n", 4) == 4, "a log");
        readiness.report({});
        for (int fd = STDERR_FILENO + 1; fd < 300; ++fd)
            expect(is_closed(fd), "no descriptor at all");
        test.note(wrong.empty() ? "all is well" : wrong);
    });
    CHECK(ended.status == 0);
    CHECK(ended.error == "log\n");
    CHECK(ended.note == "all is well");
}
