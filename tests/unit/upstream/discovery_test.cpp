#include "supervisor/upstream/discovery.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

using namespace livesock;

namespace {

namespace fs = std::filesystem;

/// A socket's name; nobody listens there.
void make_socket(const std::string& path) {
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    CHECK_MESSAGE(
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, path);
}

/// Follows patterns below a directory of its own; what is found is recorded.
struct Search {
    TempDir temp;
    EventLoop loop = make_loop();
    std::vector<std::pair<std::string, Origin>> found;
    std::unique_ptr<Discovery> discovery;

    void begin(const std::vector<std::string>& patterns) {
        DiscoverySettings settings{.forwarded = false, .globs = {}};
        for (const std::string& pattern : patterns)
            settings.globs.push_back(temp.entry(pattern));
        begin(settings, temp.entry("home"));
    }
    void begin(const DiscoverySettings& settings, const std::string& home) {
        discovery = std::move(*Discovery::create(
            loop, settings, home,
            [this](const std::string& path, Origin origin) { found.emplace_back(path, origin); }));
    }

    std::string directory(std::string_view name, mode_t mode = 0700) const {
        const std::string path = temp.entry(name);
        fs::create_directories(path);
        ::chmod(path.c_str(), mode);
        return path;
    }
    void socket(std::string_view name) const { make_socket(temp.entry(name)); }

    std::size_t count(const std::string& path) const {
        return static_cast<std::size_t>(std::count_if(
            found.begin(), found.end(), [&](const auto& one) { return one.first == path; }));
    }
    bool finds(std::string_view name) {
        const std::string path = temp.entry(name);
        return run_until(loop, [&] { return count(path) > 0; });
    }
    /// For what comes after a pause of discovery's own: it has seen everything when it finds this.
    void see_all(std::string_view marker) {
        socket(marker);
        CHECK(finds(marker));
        settle(loop);
    }
};

} // namespace

TEST_CASE("sockets that exist are found, from the loop") {
    Search search;
    search.directory("ssh-a");
    search.directory("ssh-b");
    search.socket("ssh-a/agent.1");
    search.socket("ssh-b/agent.2");
    search.begin({"ssh-*/agent.*"});
    CHECK(search.found.empty());
    CHECK(search.finds("ssh-a/agent.1"));
    CHECK(search.finds("ssh-b/agent.2"));
    settle(search.loop);
    CHECK(search.found.size() == 2);
    CHECK(search.found[0].second == Origin::configured);
}

TEST_CASE("a socket that appears in a known directory is found") {
    Search search;
    search.directory("ssh-a");
    search.begin({"ssh-*/agent.*"});
    settle(search.loop);
    search.socket("ssh-a/agent.1");
    CHECK(search.finds("ssh-a/agent.1"));
    SUBCASE("and a second one beside it") {
        search.socket("ssh-a/agent.2");
        CHECK(search.finds("ssh-a/agent.2"));
    }
    SUBCASE("and one that is renamed into place") {
        const UniqueFd listener = std::move(*listen_at(search.temp.entry("ssh-a/agent.2")));
        CHECK(search.finds("ssh-a/agent.2"));
    }
    SUBCASE("and again when it is made again") {
        fs::remove(search.temp.entry("ssh-a/agent.1"));
        search.found.clear();
        search.socket("ssh-a/agent.1");
        CHECK(search.finds("ssh-a/agent.1"));
    }
}

TEST_CASE("a socket in a directory that appears is found") {
    Search search;
    search.begin({"ssh-*/agent.*"});
    settle(search.loop);
    SUBCASE("made step by step") {
        search.directory("ssh-a");
        settle(search.loop);
        search.socket("ssh-a/agent.1");
    }
    SUBCASE("made at once") {
        search.directory("ssh-a");
        search.socket("ssh-a/agent.1");
    }
    SUBCASE("moved into place") {
        search.directory("elsewhere");
        search.socket("elsewhere/agent.1");
        settle(search.loop);
        fs::rename(search.temp.entry("elsewhere"), search.temp.entry("ssh-a"));
    }
    CHECK(search.finds("ssh-a/agent.1"));
}

TEST_CASE("a directory that is removed and made again is followed again") {
    Search search;
    search.begin({"ssh-*/agent.*"});
    for (int round = 0; round < 3; ++round) {
        CAPTURE(round);
        search.found.clear();
        search.directory("ssh-a");
        search.socket("ssh-a/agent.1");
        CHECK(search.finds("ssh-a/agent.1"));
        fs::remove_all(search.temp.entry("ssh-a"));
        settle(search.loop);
    }
}

TEST_CASE("a directory that is moved away is not taken for the one that takes its name") {
    Search search;
    search.directory("ssh-a");
    search.begin({"ssh-*/agent.*"});
    settle(search.loop);
    fs::rename(search.temp.entry("ssh-a"), search.temp.entry("away"));
    search.directory("ssh-a");
    settle(search.loop);
    search.socket("away/agent.1");
    search.socket("ssh-a/agent.2");
    CHECK(search.finds("ssh-a/agent.2"));
    settle(search.loop);
    CHECK(search.found.size() == 1);
}

TEST_CASE("a pattern whose literal directories are missing waits for them") {
    Search search;
    search.begin({"home/.ssh/agent/s.*.sshd.*"});
    settle(search.loop);
    SUBCASE("made one by one") {
        for (const char* name : {"home", "home/.ssh", "home/.ssh/agent"}) {
            search.directory(name);
            settle(search.loop);
        }
    }
    SUBCASE("made at once") {
        search.directory("home/.ssh/agent");
    }
    search.socket("home/.ssh/agent/s.a.sshd.b");
    CHECK(search.finds("home/.ssh/agent/s.a.sshd.b"));
}

TEST_CASE("literal directories that are removed and made again are followed again") {
    Search search;
    search.directory("home/.ssh/agent");
    search.begin({"home/.ssh/agent/s.*.sshd.*"});
    settle(search.loop);
    std::string removed;
    SUBCASE("the last") {
        removed = "home/.ssh/agent";
    }
    SUBCASE("all but one") {
        removed = "home/.ssh";
    }
    SUBCASE("all") {
        removed = "home";
    }
    fs::remove_all(search.temp.entry(removed));
    settle(search.loop);
    search.directory("home/.ssh/agent");
    search.socket("home/.ssh/agent/s.a.sshd.b");
    CHECK(search.finds("home/.ssh/agent/s.a.sshd.b"));

    fs::rename(search.temp.entry("home/.ssh/agent"), search.temp.entry("home/.ssh/old"));
    search.directory("home/.ssh/agent");
    search.socket("home/.ssh/agent/s.c.sshd.d");
    CHECK(search.finds("home/.ssh/agent/s.c.sshd.d"));
}

TEST_CASE("a directory that a wildcard finds must be real and private") {
    Search search;
    const auto make_them = [&] {
        for (const mode_t mode : {0770U, 0702U, 0777U, 01777U}) {
            const std::string name = "ssh-" + std::to_string(mode);
            search.directory(name, mode);
            search.socket(name + "/agent.1");
        }
        search.directory("real");
        search.socket("real/agent.1");
        fs::create_directory_symlink(search.temp.entry("real"), search.temp.entry("ssh-link"));
        search.temp.write("ssh-file", "");
        search.directory("ssh-fine", 0755);
    };
    SUBCASE("when it is there before us") {
        make_them();
        search.begin({"ssh-*/agent.*"});
    }
    SUBCASE("when it appears") {
        search.begin({"ssh-*/agent.*"});
        settle(search.loop);
        make_them();
    }
    search.see_all("ssh-fine/agent.1");
    CHECK(search.found.size() == 1);
}

TEST_CASE("a directory of another user is passed over" * doctest::skip(::geteuid() != 0)) {
    Search search;
    search.directory("ssh-foreign");
    search.socket("ssh-foreign/agent.1");
    REQUIRE(::chown(search.temp.entry("ssh-foreign").c_str(), 65534, 0) == 0);
    search.directory("ssh-z");
    search.begin({"ssh-*/agent.*"});
    search.see_all("ssh-z/agent.1");
    CHECK(search.found.size() == 1);
}

TEST_CASE("a literal directory may be a symlink: the user has named it") {
    Search search;
    search.directory("real");
    fs::create_directory_symlink(search.temp.entry("real"), search.temp.entry("link"));
    search.begin({"link/agent.*"});
    settle(search.loop);
    search.socket("real/agent.1");
    CHECK(search.finds("link/agent.1"));
}

TEST_CASE("names that do not fit, or hold control characters, are not told") {
    Search search;
    search.directory("ssh-a");
    search.directory("ssh-\n");
    const auto make_them = [&] {
        for (const char* name : {"agen", "xagent.1", "agent.\n", "agent.\x1b[2J", ".agent.1"})
            search.socket(std::string("ssh-a/") + name);
        search.socket("ssh-\n/agent.1");
    };
    SUBCASE("when they are there before us") {
        make_them();
        search.begin({"ssh-*/agent.*"});
    }
    SUBCASE("when they appear") {
        search.begin({"ssh-*/agent.*"});
        settle(search.loop);
        make_them();
    }
    search.see_all("ssh-a/agent.z");
    CHECK(search.found.size() == 1);
}

TEST_CASE("files and directories with a socket's name are passed over by the first scan") {
    Search search;
    search.directory("ssh-a/agent.dir");
    search.temp.write("ssh-a/agent.file", "");
    search.socket("ssh-a/agent.1");
    search.begin({"ssh-*/agent.*"});
    CHECK(search.finds("ssh-a/agent.1"));
    settle(search.loop);
    CHECK(search.found.size() == 1);
}

TEST_CASE("thousands of leftovers are gone through") {
    Search search;
    for (int i = 0; i < 2000; ++i)
        search.directory("ssh-" + std::to_string(i));
    for (int i = 0; i < 1000; ++i)
        search.socket("ssh-" + std::to_string(2 * i) + "/agent.1");
    search.begin({"ssh-*/agent.*"});
    CHECK(run_until(search.loop, [&] { return search.found.size() == 1000; }));
}

TEST_CASE("where directories are too many to watch, the latest are followed") {
    Search search;
    search.begin({"ssh-*/agent.*"});
    settle(search.loop);
    for (int i = 0; i < 1000; ++i) {
        search.directory("ssh-" + std::to_string(i));
        if (i % 100 == 0)
            settle(search.loop);
    }
    search.directory("ssh-last");
    for (int i = 0; i < 10; ++i)
        settle(search.loop);
    search.socket("ssh-last/agent.1");
    CHECK(search.finds("ssh-last/agent.1"));
}

TEST_CASE("among many names that are none of our business a fitting one is found") {
    Search search;
    search.begin({"ssh-*/agent.*"});
    settle(search.loop);
    for (int i = 0; i < 3000; ++i) {
        search.temp.write("noise-" + std::to_string(i), "");
        if (i % 500 == 0)
            settle(search.loop);
    }
    search.directory("ssh-a");
    search.socket("ssh-a/agent.1");
    CHECK(search.finds("ssh-a/agent.1"));
}

TEST_CASE("where events were lost everything is looked at again") {
    std::size_t most_events = 0;
    std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most_events;
    if (most_events == 0 || most_events > 50'000)
        return;
    Search search;
    search.directory("ssh-a");
    search.begin({"ssh-*/agent.*"});
    settle(search.loop);
    // One name, made and removed: each making is an event that differs from the one before.
    const std::string names[] = {search.temp.entry("noise-a"), search.temp.entry("noise-b")};
    for (std::size_t i = 0; i <= most_events; ++i) {
        const std::string& name = names[i % 2];
        ::close(::creat(name.c_str(), 0600));
        ::unlink(name.c_str());
    }
    search.socket("ssh-a/agent.1");
    CHECK(search.finds("ssh-a/agent.1"));
}

TEST_CASE("two patterns that share a directory both find what fits them") {
    Search search;
    search.begin({"d/agent.*", "d/*.sock"});
    search.directory("d");
    search.socket("d/agent.1");
    search.socket("d/x.sock");
    search.socket("d/agent.2.sock");
    CHECK(search.finds("d/agent.1"));
    CHECK(search.finds("d/x.sock"));
    CHECK(run_until(search.loop,
                    [&] { return search.count(search.temp.entry("d/agent.2.sock")) >= 2; }));
}

TEST_CASE("sshd's sockets are looked for below the home directory and in /tmp") {
    Search search;
    std::string directory = "/tmp/ssh-livesock-test-XXXXXX";
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    search.begin({.forwarded = true, .globs = {}}, search.temp.entry("home"));
    search.directory("home/.ssh/agent");
    search.socket("home/.ssh/agent/s.a.sshd.b");
    CHECK(search.finds("home/.ssh/agent/s.a.sshd.b"));
    make_socket(directory + "/agent.1");
    CHECK(run_until(search.loop, [&] { return search.count(directory + "/agent.1") > 0; }));
    for (const auto& [path, origin] : search.found)
        CHECK(origin == Origin::forwarded);
    fs::remove_all(directory);
}

TEST_CASE("where a socket has gone, what is in the place of its directory is not entered") {
    Search search;
    std::string directory = "/tmp/ssh-livesock-test-XXXXXX";
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    const std::string path = directory + "/agent.1";
    make_socket(path);
    search.begin({.forwarded = true, .globs = {}}, "");
    REQUIRE(run_until(search.loop, [&] { return search.count(path) == 1; }));
    SUBCASE("nothing is: another socket is found") {
        fs::remove(path);
        search.discovery->look_again(path);
        make_socket(path);
        CHECK(run_until(search.loop, [&] { return search.count(path) == 2; }));
    }
    SUBCASE("a symlink is") {
        fs::remove_all(directory);
        search.socket("agent.1");
        fs::create_symlink(search.temp.path(), directory);
        search.discovery->look_again(path);
        settle(search.loop);
        CHECK(search.discovery->is_settled());
        CHECK(search.count(path) == 1);
    }
    fs::remove_all(directory);
}

TEST_CASE("without a home directory only /tmp is looked at") {
    Search search;
    search.begin({.forwarded = true, .globs = {}}, "");
    settle(search.loop);
    for (const auto& [path, origin] : search.found)
        CHECK(path.starts_with("/tmp/"));
}
