#include "supervisor/daemon/settings_file.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

using namespace livesock;

namespace {

bool refused(const std::string& path, std::string_view why) {
    const Result<std::string> text = read_settings_file(path, 100);
    return !text && text.error().message.find(why) != std::string::npos &&
           text.error().message.find(path) != std::string::npos;
}

} // namespace

TEST_CASE("a file is read whole, up to a limit that can be told") {
    const TempDir directory;
    const std::string path = directory.write("file", "some\ntext");
    CHECK(*read_settings_file(path, 100) == "some\ntext");
    const std::string large(20'000, 'x');
    directory.write("file", large);
    CHECK(*read_settings_file(path, 20'000) == large);
    CHECK(read_settings_file(path, 19'999)->size() > 19'999);
    directory.write("file", std::string(1'000'000, 'x'));
    CHECK(read_settings_file(path, 100)->size() < 10'000);
    CHECK(read_settings_file("/dev/null", 100).error().code == EINVAL);
}

TEST_CASE("what is not there says so by its code") {
    const TempDir directory;
    CHECK(read_settings_file(directory.entry("none"), 100).error().code == ENOENT);
    CHECK(read_settings_file(directory.write("file", "") + "/none", 100).error().code == ENOTDIR);
    CHECK(refused(directory.entry("none"), "No such file"));
}

TEST_CASE("only a regular file is read") {
    const TempDir directory;
    const std::string path = directory.entry("file");
    SUBCASE("no directory") {
        REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    }
    SUBCASE("no fifo, and nothing waits for its writer") {
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    }
    CHECK(refused(path, "not a regular file"));
}

TEST_CASE("a link to a file is a file") {
    const TempDir directory;
    directory.write("elsewhere", "text");
    REQUIRE(::symlink("elsewhere", directory.entry("link").c_str()) == 0);
    CHECK(*read_settings_file(directory.entry("link"), 100) == "text");
}

TEST_CASE("a file that others can write, or wrote, is refused") {
    const TempDir directory;
    const std::string path = directory.write("file", "text");
    SUBCASE("everybody may write to it") {
        REQUIRE(::chmod(path.c_str(), 0602) == 0);
        CHECK(refused(path, "chmod o-w"));
    }
    SUBCASE("it is another user's") {
        if (::geteuid() != 0)
            return; // only root can give a file away
        REQUIRE(::chown(path.c_str(), 4711, 4711) == 0);
        CHECK(refused(path, "belongs to uid 4711"));
    }
}
