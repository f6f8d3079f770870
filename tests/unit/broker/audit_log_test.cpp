#include "supervisor/broker/audit_log.hpp"

#include "tests/support/contains.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace livesock;
using nlohmann::json;

namespace {

const auto noon = std::chrono::system_clock::time_point(std::chrono::milliseconds(1769860800123));

AuditEntry entry() {
    return {.guest = "vm",
            .operation = "sign",
            .result = "ok",
            .key = "SHA256:abc",
            .approval = "asked",
            .reason = {}};
}

struct Audited {
    TempDir temp;
    std::string path = temp.entry("audit/log");
    AuditLog audit{path};

    std::string text() const { return temp.read("audit/log"); }
    std::string why_not() {
        const Result<void> ready = audit.prepare();
        return ready ? std::string() : ready.error().message;
    }
};

mode_t mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

/// No file grows beyond `size` until it is destroyed.
class FullFileSystem {
  public:
    explicit FullFileSystem(rlim_t size) {
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &usual_) == 0);
        const rlimit small{.rlim_cur = size, .rlim_max = usual_.rlim_max};
        former_ = ::signal(SIGXFSZ, SIG_IGN);
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    }
    FullFileSystem(const FullFileSystem&) = delete;
    FullFileSystem& operator=(const FullFileSystem&) = delete;
    ~FullFileSystem() {
        ::setrlimit(RLIMIT_FSIZE, &usual_);
        ::signal(SIGXFSZ, former_);
    }

  private:
    rlimit usual_{};
    void (*former_)(int) = nullptr;
};

} // namespace

TEST_CASE("each entry is a line with all its members") {
    Audited audited;
    REQUIRE(audited.audit.write(entry(), noon));
    AuditEntry other = entry();
    other.operation = "list";
    other.result = "error";
    other.key = other.approval = {};
    other.reason = "why";
    REQUIRE(audited.audit.write(other, noon));
    const std::string text = audited.text();
    const std::size_t end = text.find('\n');
    CHECK(json::parse(text.substr(0, end)) == json{{"ts", "2026-01-31T12:00:00.123Z"},
                                                   {"guest", "vm"},
                                                   {"operation", "sign"},
                                                   {"result", "ok"},
                                                   {"key", "SHA256:abc"},
                                                   {"approval", "asked"}});
    CHECK(text.ends_with('\n'));
    CHECK(json::parse(text.substr(end + 1)) == json{{"ts", "2026-01-31T12:00:00.123Z"},
                                                    {"guest", "vm"},
                                                    {"operation", "list"},
                                                    {"result", "error"},
                                                    {"key", nullptr},
                                                    {"approval", nullptr},
                                                    {"reason", "why"}});
}

TEST_CASE("whatever is in an entry, it stays one line of ASCII") {
    Audited audited;
    AuditEntry strange = entry();
    strange.reason = "one\ntwo\r{\"ts\":1}\xff\x1b[2J\u202e";
    REQUIRE(audited.audit.write(strange, noon));
    const std::string text = audited.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(std::all_of(text.begin(), text.end() - 1, [](char c) { return c >= ' ' && c <= '~'; }));
    CHECK(json::parse(text)["reason"].get<std::string>().starts_with("one\ntwo\r{\"ts\":1}\ufffd"));
}

TEST_CASE("file and directory are made for this user alone") {
    Audited audited;
    const mode_t former = ::umask(0);
    REQUIRE(audited.audit.prepare());
    ::umask(former);
    CHECK(mode_of(audited.temp.entry("audit")) == 0700);
    CHECK(mode_of(audited.path) == 0600);
}

TEST_CASE("what others could read or write is not used") {
    Audited audited;
    REQUIRE(::mkdir(audited.temp.entry("audit").c_str(), 0700) == 0);
    SUBCASE("the directory is open") {
        REQUIRE(::chmod(audited.temp.entry("audit").c_str(), 0755) == 0);
    }
    SUBCASE("the file is open") {
        audited.temp.write("audit/log", "");
        REQUIRE(::chmod(audited.path.c_str(), 0640) == 0);
        CHECK(contains(audited.why_not(), "no file of yours with mode 0600"));
    }
    SUBCASE("it is a symlink") {
        REQUIRE(::symlink(audited.temp.write("other", "").c_str(), audited.path.c_str()) == 0);
    }
    SUBCASE("it is a pipe that nobody reads") {
        REQUIRE(::mkfifo(audited.path.c_str(), 0600) == 0);
    }
    SUBCASE("it is a directory") {
        REQUIRE(::mkdir(audited.path.c_str(), 0700) == 0);
    }
    CHECK(contains(audited.why_not(), "cannot keep the audit"));
    CHECK_FALSE(audited.audit.write(entry(), noon));
    CHECK(audited.temp.read("other").empty());
}

TEST_CASE("a file that is gone or replaced is begun anew") {
    Audited audited;
    REQUIRE(audited.audit.write(entry(), noon));
    SUBCASE("deleted") {
        REQUIRE(::unlink(audited.path.c_str()) == 0);
    }
    SUBCASE("moved away") {
        REQUIRE(::rename(audited.path.c_str(), audited.temp.entry("kept").c_str()) == 0);
    }
    SUBCASE("with its directory") {
        std::filesystem::remove_all(audited.temp.entry("audit"));
    }
    REQUIRE(audited.audit.write(entry(), noon));
    const std::string text = audited.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
}

TEST_CASE("a file that has grown is kept under another name, and a new one begun") {
    Audited audited;
    REQUIRE(audited.audit.prepare());
    std::filesystem::resize_file(audited.path, largest_audit);
    REQUIRE(audited.audit.write(entry(), noon));
    CHECK_FALSE(std::filesystem::exists(audited.path + ".1"));
    REQUIRE(audited.audit.write(entry(), noon));
    CHECK(std::filesystem::file_size(audited.path + ".1") > largest_audit);
    const std::string text = audited.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(mode_of(audited.path) == 0600);
}

TEST_CASE("a line that cannot be written as a whole is told, and nothing of it stays") {
    Audited audited;
    REQUIRE(audited.audit.write(entry(), noon));
    const std::string before = audited.text();
    {
        const FullFileSystem full(before.size() + 10);
        const Result<void> written = audited.audit.write(entry(), noon);
        REQUIRE(!written);
        CHECK(contains(written.error().message, audited.path));
    }
    CHECK(audited.text() == before);
    REQUIRE(audited.audit.write(entry(), noon));
    CHECK(audited.text() == before + before);
}
