#include "supervisor/base/log.hpp"

#include "supervisor/base/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <fnmatch.h>
#include <unistd.h>

using namespace livesock;

namespace {

/// Stands in for standard error until it is destroyed.
class CapturedError {
  public:
    CapturedError() {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        reader_.reset(ends[0]);
        const UniqueFd writer(ends[1]);
        original_.reset(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
        REQUIRE(::dup2(writer.get(), STDERR_FILENO) == STDERR_FILENO);
        REQUIRE(::fcntl(reader_.get(), F_SETFL, O_NONBLOCK) == 0);
    }
    CapturedError(const CapturedError&) = delete;
    CapturedError& operator=(const CapturedError&) = delete;
    ~CapturedError() {
        ::dup2(original_.get(), STDERR_FILENO);
        log::set_level(log::Level::info);
        log::set_style(log::Style::plain);
    }

    /// What was written since the last call.
    std::string text() const {
        std::string all;
        char chunk[4096];
        for (ssize_t count = 0; (count = ::read(reader_.get(), chunk, sizeof chunk)) > 0;)
            all.append(chunk, static_cast<std::size_t>(count));
        return all;
    }
    void close_reader() { reader_.reset(); }

  private:
    UniqueFd reader_;
    UniqueFd original_;
};

} // namespace

TEST_CASE("what a person reads at a terminal names the program") {
    const CapturedError captured;
    log::set_level(log::Level::debug);
    log::error("no {}", "agent");
    log::warning("late by {} s", 3);
    log::info("live");
    log::debug("seen");
    CHECK(captured.text() == "livesockd: error: no agent\nlivesockd: warning: late by 3 s\n"
                             "livesockd: live\nlivesockd: debug: seen\n");
}

TEST_CASE("the journal is told the priority") {
    const CapturedError captured;
    log::set_style(log::Style::journal);
    log::set_level(log::Level::debug);
    log::error("a");
    log::warning("b");
    log::info("c");
    log::debug("d");
    CHECK(captured.text() == "<3>a\n<4>b\n<6>c\n<7>d\n");
}

TEST_CASE("a file is told the time") {
    const CapturedError captured;
    log::set_style(log::Style::timestamp);
    log::warning("a");
    const char* const line = "[0-9]*-[01]?-[0-3]? [0-2]?:[0-5]?:[0-6]?.* warning: a\n";
    CHECK(::fnmatch(line, captured.text().c_str(), 0) == 0);
}

TEST_CASE("what is below the level is not written") {
    const CapturedError captured;
    log::set_level(log::Level::warning);
    CHECK(log::enabled(log::Level::error));
    CHECK(log::enabled(log::Level::warning));
    CHECK_FALSE(log::enabled(log::Level::info));
    log::info("a");
    log::write(log::Level::debug, "b");
    CHECK(captured.text().empty());
}

TEST_CASE("levels are known by name") {
    CHECK(log::parse_level("error") == log::Level::error);
    CHECK(log::parse_level("warning") == log::Level::warning);
    CHECK(log::parse_level("info") == log::Level::info);
    CHECK(log::parse_level("debug") == log::Level::debug);
    for (const char* name : {"", "warn", "INFO", "error "})
        CHECK_FALSE(log::parse_level(name));
}

TEST_CASE("a reader that is gone is no error, and errno is kept") {
    CapturedError captured;
    const auto former = std::signal(SIGPIPE, SIG_IGN);
    captured.close_reader();
    errno = ETIMEDOUT;
    log::info("a");
    CHECK(errno == ETIMEDOUT);
    std::signal(SIGPIPE, former);
}

TEST_CASE("a reader that reads nothing stops nothing") {
    const CapturedError captured;
    // Far more than a pipe takes; a write that waited would never end here.
    for (int i = 0; i < 5'000; ++i)
        log::info("{:>100}", i);
    const std::string text = captured.text();
    CHECK(text.starts_with("livesockd: "));
    CHECK(text.ends_with('\n'));
    log::info("again");
    CHECK(captured.text() == "livesockd: again\n");
}

TEST_CASE("a line of any length is one line") {
    const CapturedError captured;
    log::info("{}", std::string(1'000'000, 'x'));
    const std::string text = captured.text();
    CHECK(text.size() <= 4096);
    CHECK(text.ends_with("x...\n"));
}

TEST_CASE("a log in a file is private, appended to, and begun anew when it is large") {
    const CapturedError captured;
    const TempDir directory;
    const std::string path = directory.write("log", "old\n");
    REQUIRE(log::open_file(path));
    log::info("new");
    CHECK(directory.read("log") == "old\nlivesockd: new\n");
    for (int i = 0; i < 1'100; ++i)
        log::info("{:>1000}", i);
    CHECK(std::filesystem::file_size(path) < 200'000);
    CHECK(std::filesystem::file_size(path + ".1") > 1'000'000);
    CHECK(directory.read("log.1").starts_with("old\n"));
    CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));

    CHECK(log::open_file(directory.entry("none/log")).error().code == ENOENT);
    REQUIRE(::symlink("elsewhere", directory.entry("link").c_str()) == 0);
    CHECK(log::open_file(directory.entry("link")).error().code == EPERM);
}
