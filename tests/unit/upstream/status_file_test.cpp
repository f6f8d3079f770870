#include "supervisor/upstream/status_file.hpp"

#include "tests/support/temp_dir.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace livesock;

TEST_CASE("a status file says whether the host is there, to everybody") {
    const TempDir temp;
    const mode_t former = ::umask(077);
    StatusFile file(temp.entry("status"));
    file.tell(true);
    ::umask(former);
    CHECK(temp.read("status") == "connected\n");
    struct stat status {};
    REQUIRE(::lstat(temp.entry("status").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0644);
    file.tell(false);
    CHECK(temp.read("status") == "not connected\n");
    CHECK_FALSE(std::filesystem::exists(temp.entry("status.new")));
}

TEST_CASE("it is written when that changes, and not otherwise") {
    const TempDir temp;
    StatusFile file(temp.entry("status"));
    file.tell(true);
    temp.write("status", "somebody's own words");
    file.tell(true);
    CHECK(temp.read("status") == "somebody's own words");
    file.tell(false);
    CHECK(temp.read("status") == "not connected\n");
}

TEST_CASE("a symlink in its place is replaced, and what it leads to is left alone") {
    const TempDir temp;
    temp.write("other", "text");
    REQUIRE(::symlink(temp.entry("other").c_str(), temp.entry("status").c_str()) == 0);
    REQUIRE(::symlink(temp.entry("other").c_str(), temp.entry("status.new").c_str()) == 0);
    StatusFile file(temp.entry("status"));
    file.tell(true);
    CHECK(temp.read("other") == "text");
    CHECK(temp.read("status") == "connected\n");
    CHECK(std::filesystem::symlink_status(temp.entry("status")).type() ==
          std::filesystem::file_type::regular);
}

TEST_CASE("what could not be written is written when it can be") {
    const TempDir temp;
    StatusFile file(temp.entry("later/status"));
    CHECK_FALSE(file.tell(true));
    CHECK_FALSE(file.tell(true));
    REQUIRE(::mkdir(temp.entry("later").c_str(), 0755) == 0);
    CHECK(file.tell(true));
    CHECK(temp.read("later/status") == "connected\n");
}

TEST_CASE("without a path there is no file") {
    StatusFile file("");
    file.tell(true);
    CHECK_FALSE(std::filesystem::exists(".new"));
}
