#include "supervisor/base/file.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

using namespace livesock;

namespace {

bool refused(const std::string& path, FileUse use, const std::string& why) {
    const Result<UniqueFd> file = open_trusted_file(path, use, "cannot read it");
    return !file && file.error().message.starts_with("cannot read it: ") &&
           file.error().message.find(why) != std::string::npos;
}

bool refused(const std::string& path, const std::string& why) {
    return refused(path, FileUse::settings, why) && refused(path, FileUse::secret, why);
}

Result<std::string> text_of(const std::string& path, FileUse use = FileUse::settings) {
    const Result<UniqueFd> file = open_trusted_file(path, use, "");
    return file ? read_up_to(*file, 100, "") : file.error();
}

} // namespace

TEST_CASE("a file is read whole, up to a limit") {
    const TempDir directory;
    const std::string path = directory.write("file", "some\ntext");
    CHECK(*read_beginning(path, 100) == "some\ntext");
    const std::string large(100'000, 'x');
    directory.write("file", large);
    CHECK(*read_beginning(path, 100'000) == large);
    CHECK(read_beginning(path, 99'999)->size() == 99'999);
    CHECK(read_beginning(path, 0)->empty());
    CHECK(read_beginning(directory.path(), 1).error().code == EISDIR);
}

TEST_CASE("what is read next begins where the last reading ended") {
    const TempDir directory;
    const Result<UniqueFd> file =
        open_trusted_file(directory.write("file", "some text"), FileUse::settings, "");
    REQUIRE(file);
    CHECK(*read_up_to(*file, 5, "") == "some ");
    CHECK(*read_up_to(*file, 5, "") == "text");
    CHECK(read_up_to(*file, 5, "")->empty());
}

TEST_CASE("what is not there says so by its code") {
    const TempDir directory;
    CHECK(text_of(directory.entry("none")).error().code == ENOENT);
    CHECK(text_of(directory.write("file", "") + "/none").error().code == ENOTDIR);
    const Result<std::string> missing = read_beginning(directory.entry("none"), 100);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == ENOENT);
    CHECK(missing.error().message.find(directory.entry("none")) != std::string::npos);
    CHECK(refused(directory.entry("none"), "No such file"));
}

TEST_CASE("only a regular file is trusted") {
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
    CHECK(*text_of(directory.entry("link")) == "text");
    CHECK(read_beginning(directory.entry("link"), 100).error().code == ELOOP);
}

TEST_CASE("a file that others can write, or wrote, is refused") {
    const TempDir directory;
    const std::string path = directory.write("file", "text");
    SUBCASE("everybody may write to it") {
        REQUIRE(::chmod(path.c_str(), 0602) == 0);
        CHECK(refused(path, FileUse::settings, "chmod o-w"));
    }
    SUBCASE("the group may: settings, but no secret") {
        REQUIRE(::chmod(path.c_str(), 0660) == 0);
        CHECK(*text_of(path, FileUse::settings) == "text");
        CHECK(refused(path, FileUse::secret, "chmod 600"));
    }
    SUBCASE("everybody may read it: settings, but no secret") {
        REQUIRE(::chmod(path.c_str(), 0604) == 0);
        CHECK(*text_of(path, FileUse::settings) == "text");
        CHECK(refused(path, FileUse::secret, "chmod 600"));
    }
    SUBCASE("it is another user's") {
        if (::geteuid() != 0)
            return; // only root can give a file away
        REQUIRE(::chown(path.c_str(), 4711, 4711) == 0);
        CHECK(refused(path, "belongs to uid 4711"));
    }
}
