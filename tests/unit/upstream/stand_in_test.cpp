#include "supervisor/upstream/stand_in.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/stranger.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace livesock;
namespace fs = std::filesystem;

namespace {

using Made = StandInFiles::Made;

/// A /tmp, a home and the stable socket, and one path in a login's directory.
struct Site {
    TempDir temp;
    std::string tmp = temp.entry("t");
    std::string home = temp.entry("h");
    std::string target = temp.entry("agent.sock");
    UniqueFd stable = std::move(*listen_at(target));
    std::string directory = tmp + "/ssh-X";
    std::string path = directory + "/agent.1";
    std::string aside = path + ".hung";
    ForwardedPath parsed{PlaceKind::session, directory, "agent.1"};
    StandInFiles files{{.tmp = tmp, .home = home, .runtime = {}}, target};

    Site() {
        fs::create_directory(tmp);
        fs::create_directories(home + "/.ssh/agent");
    }
    void make_directory(mode_t mode = 0700) const {
        REQUIRE(::mkdir(directory.c_str(), 0700) == 0);
        REQUIRE(::chmod(directory.c_str(), mode) == 0);
    }
    UniqueFd make_agent(const std::string& at) const {
        if (!fs::exists(directory))
            make_directory();
        return std::move(*listen_at(at));
    }
    /// Its socket stays behind.
    void make_stale(const std::string& at) const { static_cast<void>(make_agent(at)); }

    bool stands_in() const {
        std::error_code none;
        return fs::read_symlink(path, none) == target;
    }
    static bool is_socket(const std::string& at) { return fs::is_socket(fs::symlink_status(at)); }
    /// Everything in the place of /tmp.
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator(tmp))
            names.push_back(entry.path().string().substr(tmp.size() + 1));
        std::sort(names.begin(), names.end());
        return names;
    }
    std::string refusal() {
        const Result<Made> made = files.stand_in(parsed);
        return made ? "" : made.error().message;
    }
};
using Names = std::vector<std::string>;

bool says(const std::string& text, const char* words) {
    return text.find(words) != std::string::npos;
}

struct Killed {};

/// Runs `operation` on a site that `prepare` has made, killed between any two of its steps and then
/// not at all, and has `check` look at what is left each time, before and after the recovery.
template <class Prepare, class Operation, class Check>
int kill_everywhere(Prepare prepare, Operation operation, Check check) {
    for (int steps = 0;; ++steps) {
        Site site;
        [[maybe_unused]] const auto kept = prepare(site);
        bool is_killed = false;
        int left = steps;
        site.files.between_steps = [&] {
            if (left-- == 0)
                throw Killed{};
        };
        try {
            operation(site);
        } catch (const Killed&) {
            is_killed = true;
        }
        CAPTURE(steps);
        check(site, false);
        StandInFiles successor(site.files.places(), site.target);
        successor.recover();
        check(site, true);
        if (!is_killed)
            return steps;
    }
}

} // namespace

TEST_CASE("where a login's directory has vanished it is made, private, with a stand-in in it") {
    Site site;
    const Result<Made> made = site.files.stand_in(site.parsed);
    REQUIRE(made);
    CHECK(*made == Made::now);
    CHECK(site.stands_in());
    CHECK(dial(site.path));
    struct stat status {};
    REQUIRE(::stat(site.directory.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    CHECK(site.names() == Names{"ssh-X", "ssh-X/agent.1"});
    CHECK(*site.files.stand_in(site.parsed) == Made::before);
    site.files.remove(site.parsed);
    CHECK(site.names().empty());
}

TEST_CASE("a socket of this user that refuses is replaced") {
    Site site;
    site.make_stale(site.path);
    CHECK(*site.files.stand_in(site.parsed) == Made::now);
    CHECK(site.stands_in());
    CHECK(site.names() == Names{"ssh-X", "ssh-X/agent.1"});
}

TEST_CASE("a socket that answers is never touched") {
    Site site;
    const UniqueFd agent = site.make_agent(site.path);
    CHECK(*site.files.stand_in(site.parsed) == Made::answers);
    CHECK(Site::is_socket(site.path));
}

TEST_CASE("a stand-in in the home directory comes and goes without its directory") {
    Site site;
    const std::string directory = site.home + "/.ssh/agent";
    const ForwardedPath path{PlaceKind::kept, directory, "s.a.sshd.b"};
    CHECK(*site.files.stand_in(path) == Made::now);
    CHECK(fs::read_symlink(path.path()) == site.target);
    site.files.remove(path);
    CHECK(fs::is_empty(directory));

    SUBCASE("one that others can write to is refused") {
        ::chmod(directory.c_str(), 0770);
        const auto made = site.files.stand_in(path);
        REQUIRE_FALSE(made);
        CHECK(says(made.error().message, "chmod go-w"));
        CHECK(fs::is_empty(directory));
    }
    SUBCASE("one that is missing is not made") {
        fs::remove(directory);
        CHECK_FALSE(site.files.stand_in(path));
        CHECK_FALSE(fs::exists(directory));
    }
    SUBCASE("a symlink is refused") {
        fs::remove(directory);
        fs::create_directory(site.temp.entry("real"));
        fs::create_directory_symlink(site.temp.entry("real"), directory);
        CHECK_FALSE(site.files.stand_in(path));
        CHECK(fs::is_empty(site.temp.entry("real")));
    }
}

TEST_CASE("a stand-in in /tmp itself") {
    Site site;
    const ForwardedPath path{PlaceKind::shared, site.tmp, "vscode-ssh-auth-1.sock"};
    site.make_stale(path.path());
    ::rmdir(site.directory.c_str());
    REQUIRE(::chmod(site.tmp.c_str(), 01777) == 0);
    CHECK(*site.files.stand_in(path) == Made::now);
    CHECK(fs::read_symlink(path.path()) == site.target);
    site.files.remove(path);
    CHECK(site.names().empty());
    REQUIRE(::chmod(site.tmp.c_str(), 0777) == 0);
    CHECK_FALSE(site.files.stand_in(path));
    CHECK(site.names().empty());
}

TEST_CASE("what is in the way in /tmp is refused and left alone") {
    Site site;
    SUBCASE("a login's directory with another mode") {
        site.make_directory(0755);
        CHECK(says(site.refusal(), "has mode 0755, expected 0700"));
        CHECK(site.names() == Names{"ssh-X"});
    }
    SUBCASE("a symlink in place of the directory") {
        fs::create_directory(site.temp.entry("real"));
        fs::permissions(site.temp.entry("real"), fs::perms::owner_all);
        fs::create_directory_symlink(site.temp.entry("real"), site.directory);
        CHECK(says(site.refusal(), "no real directory"));
        CHECK(fs::is_empty(site.temp.entry("real")));
    }
    SUBCASE("a file in place of the directory") {
        site.temp.write("t/ssh-X", "mine");
        CHECK(says(site.refusal(), "no real directory"));
        CHECK(site.temp.read("t/ssh-X") == "mine");
    }
    SUBCASE("another user's directory") {
        site.make_directory();
        if (::chown(site.directory.c_str(), nobody, nobody) != 0)
            return; // not root
        CHECK(says(site.refusal(), "belongs to uid 65534"));
        CHECK(site.names() == Names{"ssh-X"});
    }
    SUBCASE("another user's socket, even one that refuses") {
        site.make_stale(site.path);
        if (::lchown(site.path.c_str(), nobody, nobody) != 0)
            return; // not root
        CHECK(says(site.refusal(), "uid 65534's"));
        CHECK(Site::is_socket(site.path));
    }
    SUBCASE("another user's symlink to our own socket") {
        site.make_directory();
        fs::create_symlink(site.target, site.path);
        if (::lchown(site.path.c_str(), nobody, nobody) != 0)
            return; // not root
        CHECK(says(site.refusal(), "uid 65534's"));
        CHECK(site.files.recover().empty());
        CHECK(site.stands_in());
    }
    SUBCASE("a symlink that leads elsewhere") {
        site.make_directory();
        fs::create_symlink("/elsewhere", site.path);
        CHECK(says(site.refusal(), "leads elsewhere"));
        site.files.remove(site.parsed);
        CHECK(fs::read_symlink(site.path) == "/elsewhere");
    }
    SUBCASE("a file") {
        site.make_directory();
        site.temp.write("t/ssh-X/agent.1", "mine");
        CHECK(says(site.refusal(), "no socket"));
        CHECK(site.temp.read("t/ssh-X/agent.1") == "mine");
    }
}

TEST_CASE("a hung agent's socket is set aside, goes on serving there, and gets its name back") {
    Site site;
    const UniqueFd agent = site.make_agent(site.path);
    REQUIRE(site.files.set_aside(site.parsed));
    CHECK(site.stands_in());
    CHECK(dial(site.aside));
    CHECK(site.names() == Names{"ssh-X", "ssh-X/agent.1", "ssh-X/agent.1.hung"});
    CHECK_FALSE(site.files.drop_dead_aside(site.parsed));
    REQUIRE(site.files.put_back(site.parsed));
    CHECK(Site::is_socket(site.path));
    CHECK(dial(site.path));
    CHECK(site.names() == Names{"ssh-X", "ssh-X/agent.1"});
    CHECK(site.files.put_back(site.parsed).error().code == ENOENT);
}

TEST_CASE("only the agent's own socket is set aside, and only where its other name is free") {
    Site site;
    SUBCASE("it has vanished") {
        site.make_directory();
        CHECK(site.files.set_aside(site.parsed).error().code == ENOENT);
        CHECK(site.names() == Names{"ssh-X"});
    }
    SUBCASE("something else has its name") {
        site.make_directory();
        site.temp.write("t/ssh-X/agent.1", "mine");
        CHECK_FALSE(site.files.set_aside(site.parsed));
        CHECK(site.names() == Names{"ssh-X", "ssh-X/agent.1"});
    }
    SUBCASE("the other name is taken") {
        const UniqueFd agent = site.make_agent(site.path);
        site.temp.write("t/ssh-X/agent.1.hung", "mine");
        CHECK(site.files.set_aside(site.parsed).error().code == EEXIST);
        CHECK(Site::is_socket(site.path));
        CHECK(site.temp.read("t/ssh-X/agent.1.hung") == "mine");
    }
    SUBCASE("the other name would be too long for an address") {
        const ForwardedPath path{
            PlaceKind::session, site.directory,
            "agent." + std::string(longest_socket_path - site.directory.size() - 11, '1')};
        const UniqueFd agent = site.make_agent(path.path());
        CHECK(site.files.set_aside(path).error().code == ENAMETOOLONG);
        CHECK(Site::is_socket(path.path()));
    }
    SUBCASE("its directory is another's by now") {
        site.make_directory(0755);
        CHECK(site.files.set_aside(site.parsed).error().code == EPERM);
    }
}

TEST_CASE("a socket whose name was taken stays aside") {
    Site site;
    const UniqueFd agent = site.make_agent(site.path);
    REQUIRE(site.files.set_aside(site.parsed));
    fs::remove(site.path);
    site.temp.write("t/ssh-X/agent.1", "mine");
    CHECK(site.files.put_back(site.parsed).error().code == EEXIST);
    CHECK(site.temp.read("t/ssh-X/agent.1") == "mine");
    CHECK(Site::is_socket(site.aside));
}

TEST_CASE("what a logout leaves of a socket that was set aside goes with its directory") {
    Site site;
    UniqueFd agent = site.make_agent(site.path);
    REQUIRE(site.files.set_aside(site.parsed));
    fs::remove(site.path); // as sshd does
    SUBCASE("when the agent has ended") {
        agent.reset();
        CHECK(site.files.drop_dead_aside(site.parsed));
        CHECK(site.names().empty());
        CHECK(site.files.drop_dead_aside(site.parsed));
    }
    SUBCASE("else it gets its name back") {
        CHECK_FALSE(site.files.drop_dead_aside(site.parsed));
        REQUIRE(site.files.put_back(site.parsed));
        CHECK(site.names() == Names{"ssh-X", "ssh-X/agent.1"});
    }
}

TEST_CASE("a stand-in that is removed takes nothing else with it") {
    Site site;
    REQUIRE(site.files.stand_in(site.parsed));
    site.temp.write("t/ssh-X/agent.2", "mine");
    site.files.remove(site.parsed);
    CHECK(site.names() == Names{"ssh-X", "ssh-X/agent.2"});
}

TEST_CASE(
    "killed anywhere while a stand-in is made, a successor finds the path as it was or made") {
    const auto check = [](Site& site, bool is_recovered) {
        const bool is_absent = !fs::exists(site.directory);
        CHECK((is_absent || site.stands_in() || Site::is_socket(site.path)));
        if (is_recovered)
            CHECK((site.names().empty() || site.names() == Names{"ssh-X", "ssh-X/agent.1"}));
    };
    const auto operation = [](Site& site) { static_cast<void>(site.files.stand_in(site.parsed)); };
    SUBCASE("where its directory has vanished") {
        CHECK(kill_everywhere([](Site&) { return 0; }, operation, check) == 2);
    }
    SUBCASE("where a socket was left") {
        CHECK(kill_everywhere(
                  [](Site& site) {
                      site.make_stale(site.path);
                      return 0;
                  },
                  operation, check) == 1);
    }
}

TEST_CASE("killed anywhere while a socket is set aside or put back, it has its name afterwards") {
    const auto check = [](Site& site, bool is_recovered) {
        CHECK((site.stands_in() || Site::is_socket(site.path)));
        CHECK(Site::is_socket(site.path) != Site::is_socket(site.aside));
        if (is_recovered) {
            CHECK(dial(site.path));
            CHECK(Site::is_socket(site.path));
            CHECK(site.names() == Names{"ssh-X", "ssh-X/agent.1"});
        }
    };
    const auto with_agent = [](Site& site) {
        return std::make_unique<UniqueFd>(site.make_agent(site.path));
    };
    const auto set_aside = [](Site& site) { static_cast<void>(site.files.set_aside(site.parsed)); };
    SUBCASE("set aside") {
        CHECK(kill_everywhere(with_agent, set_aside, check) == 1);
    }
    SUBCASE("put back") {
        const auto aside = [&](Site& site) {
            auto agent = with_agent(site);
            set_aside(site);
            return agent;
        };
        CHECK(kill_everywhere(
                  aside, [](Site& site) { static_cast<void>(site.files.put_back(site.parsed)); },
                  check) == 1);
    }
}

TEST_CASE("killed anywhere while a stand-in is removed, it is there or nothing is") {
    const auto check = [](Site& site, bool is_recovered) {
        CHECK((site.stands_in() || !fs::exists(site.directory)));
        if (is_recovered)
            CHECK((site.names().empty() || site.names() == Names{"ssh-X", "ssh-X/agent.1"}));
    };
    CHECK(kill_everywhere(
              [](Site& site) {
                  static_cast<void>(site.files.stand_in(site.parsed));
                  return 0;
              },
              [](Site& site) { site.files.remove(site.parsed); }, check) == 2);
}

TEST_CASE("killed anywhere while what a logout left is removed, nothing of it stays") {
    const auto check = [](Site& site, bool is_recovered) {
        CHECK_FALSE(Site::is_socket(site.path));
        if (is_recovered)
            CHECK((site.names().empty() || site.names() == Names{"ssh-X"}));
    };
    CHECK(kill_everywhere(
              [](Site& site) {
                  site.make_stale(site.aside);
                  return 0;
              },
              [](Site& site) { site.files.drop_dead_aside(site.parsed); }, check) == 1);
}

TEST_CASE("a successor takes over the stand-ins that are there, and nothing of others") {
    Site site;
    REQUIRE(site.files.stand_in(site.parsed));
    fs::create_directory(site.tmp + "/ssh-Y");
    fs::permissions(site.tmp + "/ssh-Y", fs::perms::owner_all);
    fs::create_symlink("/elsewhere/other.sock", site.tmp + "/ssh-Y/agent.2");
    site.temp.write("t/ssh-Y/agent.3.hung", "mine");
    fs::create_symlink(site.target, site.home + "/.ssh/agent/s.a.sshd.b");
    fs::create_symlink(site.target, site.home + "/.ssh/agent/mine");
    const Names before = site.names();
    StandInFiles successor(site.files.places(), site.target);
    std::vector<std::string> found;
    for (const ForwardedPath& path : successor.recover())
        found.push_back(path.path());
    CHECK(found == Names{site.path, site.home + "/.ssh/agent/s.a.sshd.b"});
    CHECK(site.names() == before);
    CHECK(fs::is_symlink(site.home + "/.ssh/agent/mine"));
}

TEST_CASE("what a supervisor with another runtime directory has left leads to us, if it is dead") {
    Site site;
    const std::string former = site.temp.entry("former");
    fs::create_directory(former);
    StandInFiles others(site.files.places(), former + "/agent.sock");
    SUBCASE("a stand-in for a dead agent") {
        REQUIRE(others.stand_in(site.parsed));
        CHECK(site.files.recover().size() == 1);
        CHECK(site.files.is_standing(site.parsed));
    }
    SUBCASE("a socket that was set aside has its name again") {
        const UniqueFd listener = site.make_agent(site.path);
        REQUIRE(others.set_aside(site.parsed));
        CHECK(site.files.recover().empty());
        CHECK(Site::is_socket(site.path));
        CHECK_FALSE(fs::exists(site.aside));
    }
    SUBCASE("not one that is served") {
        const auto served = listen_at(former + "/agent.sock");
        REQUIRE(served);
        REQUIRE(others.stand_in(site.parsed));
        CHECK(site.files.recover().empty());
        CHECK(others.is_standing(site.parsed));
    }
}

TEST_CASE("a successor is told of what is set aside, and leaves it so") {
    Site site;
    const UniqueFd listener = site.make_agent(site.path);
    REQUIRE(site.files.set_aside(site.parsed));
    StandInFiles successor(site.files.places(), site.target);
    const std::vector<ForwardedPath> aside = successor.set_aside_now();
    REQUIRE(aside.size() == 1);
    CHECK(aside.front().path() == site.path);
    CHECK(successor.recover({site.path}).empty());
    CHECK(Site::is_socket(site.aside));
    CHECK(successor.is_standing(site.parsed));
}

TEST_CASE("where /tmp is a symlink stand-ins are made and found all the same") {
    Site site;
    fs::rename(site.tmp, site.tmp + ".real");
    fs::create_directory_symlink(site.tmp + ".real", site.tmp);
    fs::remove_all(site.tmp + ".real/ssh-X");
    StandInFiles files(site.files.places(), site.target);
    CHECK(files.stand_in(site.parsed));
    CHECK(files.is_standing(site.parsed));
    CHECK(files.recover().size() == 1);
    files.remove(site.parsed);
    CHECK_FALSE(fs::exists(fs::symlink_status(site.path)));
}
