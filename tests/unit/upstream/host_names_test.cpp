#include "supervisor/upstream/host_names.hpp"

#include "tests/support/temp_dir.hpp"

#include <filesystem>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

constexpr std::string_view hosts = "127.0.0.1 localhost\n"
                                   "# 10.0.0.5 nobody\n"
                                   "\n"
                                   "10.0.0.55 other\n"
                                   " 10.0.0.5\tlaptop laptop.example.org # Zoe's\r\n"
                                   "10.0.0.5 again\n"
                                   "fe80::1 router\n"
                                   "10.0.0.6\n"
                                   "10.0.0.7 last";

} // namespace

TEST_CASE("an address has the first name that stands behind it") {
    CHECK(host_in(hosts, "10.0.0.5") == "laptop");
    CHECK(host_in(hosts, "10.0.0.7") == "last");
    CHECK(host_in(hosts, "fe80::1%eth0") == "router");
    for (const char* unknown : {"10.0.0.6", "10.0.0", "laptop", "", "#", "%eth0"})
        CHECK(!host_in(hosts, unknown));
    CHECK(!host_in("", "10.0.0.5"));
}

TEST_CASE("this machine itself is called by its address") {
    CHECK(!host_in(hosts, "127.0.0.1"));
    CHECK(!host_in("::1 localhost", "::1"));
}

TEST_CASE("a label comes before the file, and the file is read again when it changes") {
    const TempDir temp;
    const std::string path = temp.write("hosts", hosts);
    HostNames names(path);
    CHECK(names.of_client("10.0.0.5") == "laptop");
    CHECK(names.of_client("10.0.0.9").empty());
    names.apply({{"10.0.0.5", "the \033laptop"}, {"127.0.0.1", "here"}, {"/a", "work"}});
    CHECK(names.of_client("10.0.0.5") == "the \\x1blaptop");
    CHECK(names.of_client("127.0.0.1") == "here");
    CHECK(names.of_socket("/a") == "work");
    CHECK(names.of_socket("/b").empty());
    names.apply({});
    temp.write("hosts", "10.0.0.9 tower and some more\n");
    CHECK(names.of_client("10.0.0.9") == "tower");
    CHECK(names.of_client("10.0.0.5").empty());
    std::filesystem::remove(path);
    CHECK(names.of_client("10.0.0.9").empty());
}
