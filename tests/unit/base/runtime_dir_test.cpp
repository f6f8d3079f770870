#include "supervisor/base/runtime_dir.hpp"

#include "tests/support/contains.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace livesock;

namespace {

using Paths = std::vector<std::string>;

DirectoryInputs usual_inputs() {
    return {.livesock_dir = "",
            .xdg_state_home = "",
            .xdg_runtime_dir = "/run/user/7",
            .home = "/home/ann",
            .nodename = "host",
            .uid = 7};
}

mode_t mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

} // namespace

TEST_CASE("the runtime directory lies in the state directory, by host") {
    DirectoryInputs inputs = usual_inputs();
    CHECK(preferred_directory(inputs) == "/home/ann/.local/state/livesock/host");
    CHECK(*directory_choices(inputs) ==
          Paths{"/home/ann/.local/state/livesock/host", "/run/user/7/livesock", "/tmp/livesock-7"});
    inputs.xdg_state_home = "/state";
    CHECK(directory_choices(inputs)->front() == "/state/livesock/host");
}

TEST_CASE("the configuration lies in the user's configuration directory") {
    const ScopedVariable home("HOME", "/home/ann");
    SUBCASE("$XDG_CONFIG_HOME") {
        const ScopedVariable xdg("XDG_CONFIG_HOME", "/cfg");
        CHECK(default_config_path() == "/cfg/livesock/livesock.toml");
    }
    SUBCASE("which is ignored where it is relative, empty or unset") {
        for (const char* value : {"cfg", "", static_cast<const char*>(nullptr)}) {
            const ScopedVariable xdg("XDG_CONFIG_HOME", value);
            CHECK(default_config_path() == "/home/ann/.config/livesock/livesock.toml");
        }
    }
}

TEST_CASE("a relative directory of the environment is ignored") {
    DirectoryInputs inputs = usual_inputs();
    inputs.xdg_state_home = "state";
    inputs.xdg_runtime_dir = "run";
    CHECK(*directory_choices(inputs) ==
          Paths{"/home/ann/.local/state/livesock/host", "/tmp/livesock-7"});
}

TEST_CASE("without a home directory there are the others") {
    DirectoryInputs inputs = usual_inputs();
    inputs.home = "";
    CHECK(*directory_choices(inputs) == Paths{"/run/user/7/livesock", "/tmp/livesock-7"});
}

TEST_CASE("LIVESOCK_DIR comes before everything") {
    DirectoryInputs inputs = usual_inputs();
    inputs.livesock_dir = "/srv/ann//";
    CHECK(preferred_directory(inputs) == "/srv/ann");
    CHECK(directory_choices(inputs)->front() == "/srv/ann");
    inputs.livesock_dir = "srv";
    CHECK(contains(directory_choices(inputs).error().message, "LIVESOCK_DIR is 'srv'"));
}

TEST_CASE("a place whose sockets would have no address is left out") {
    DirectoryInputs inputs = usual_inputs();
    // 107 bytes less "/control.sock.new"
    inputs.livesock_dir = "/" + std::string(89, 'x');
    CHECK(directory_choices(inputs)->front() == inputs.livesock_dir);
    inputs.livesock_dir += 'x';
    CHECK(directory_choices(inputs)->front() == "/run/user/7/livesock");
    inputs.xdg_runtime_dir = inputs.livesock_dir;
    CHECK(*directory_choices(inputs) == Paths{"/tmp/livesock-7"});
}

TEST_CASE("what the environment says is asked for") {
    const ScopedVariable directory("LIVESOCK_DIR", "/a");
    const ScopedVariable state("XDG_STATE_HOME", nullptr);
    const ScopedVariable runtime("XDG_RUNTIME_DIR", "/c");
    const ScopedVariable home("HOME", nullptr);
    const DirectoryInputs inputs = directory_inputs();
    CHECK(inputs.livesock_dir == "/a");
    CHECK(inputs.xdg_state_home.empty());
    CHECK(inputs.xdg_runtime_dir == "/c");
    CHECK(inputs.home.starts_with('/')); // the password database's
    CHECK_FALSE(inputs.nodename.empty());
    CHECK(inputs.uid == ::geteuid());
}

TEST_CASE("a private directory is opened") {
    const TempDir directory;
    CHECK(open_private_directory(directory.path()));
}

TEST_CASE("a directory that others can enter is refused, with the remedy") {
    const TempDir directory;
    for (const mode_t mode : {0701U, 0710U, 0770U, 0755U, 0777U, 0600U, 04711U}) {
        REQUIRE(::chmod(directory.path().c_str(), mode) == 0);
        const Result<UniqueFd> opened = open_private_directory(directory.path());
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code == EPERM);
        CHECK(contains(opened.error().message, "chmod 700 '" + directory.path() + "'"));
    }
}

TEST_CASE("a directory that is everybody's is refused, and its mode left alone") {
    const TempDir directory;
    REQUIRE(::chmod(directory.path().c_str(), 01777) == 0);
    const Result<UniqueFd> opened = open_private_directory(directory.path());
    REQUIRE_FALSE(opened);
    CHECK(contains(opened.error().message, "such as '" + directory.path() + "/livesock'"));
    if (::geteuid() == 0)
        CHECK(contains(open_private_directory("/").error().message, "such as '/livesock'"));
}

TEST_CASE("a group that is inherited lets nobody in") {
    // mkdir(2) in a set-group-ID directory sets the bit, and chmod(1) does not take it away.
    const TempDir directory;
    REQUIRE(::chmod(directory.path().c_str(), 02700) == 0);
    CHECK(open_private_directory(directory.path()));
    CHECK(RuntimeDir::make(directory.entry("a/b")));
}

TEST_CASE("a directory of another user is refused") {
    if (::geteuid() != 0)
        return; // only root can make one
    const TempDir directory;
    REQUIRE(::chown(directory.path().c_str(), 4711, 4711) == 0);
    const Result<UniqueFd> opened = open_private_directory(directory.path());
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == EPERM);
    CHECK(contains(opened.error().message, "belongs to uid 4711"));
}

TEST_CASE("what is no directory is refused") {
    const TempDir directory;
    const std::string path = directory.entry("d");
    SUBCASE("missing") {
        CHECK(open_private_directory(path).error().code == ENOENT);
    }
    SUBCASE("a file") {
        directory.write("d", "");
        CHECK(contains(open_private_directory(path).error().message, "is not a directory"));
    }
    SUBCASE("a symlink, even to a private directory") {
        REQUIRE(::mkdir(directory.entry("target").c_str(), 0700) == 0);
        REQUIRE(::symlink("target", path.c_str()) == 0);
        CHECK(contains(open_private_directory(path).error().message, "symbolic link"));
        CHECK_FALSE(RuntimeDir::make(path));
    }
}

TEST_CASE("a runtime directory is made with its parents, all private") {
    const TempDir directory;
    const Result<RuntimeDir> made = RuntimeDir::make(directory.entry("a/b/c"));
    REQUIRE(made);
    CHECK(made->path() == directory.entry("a/b/c"));
    CHECK(made->entry("live") == directory.entry("a/b/c/live"));
    for (const char* name : {"a", "a/b", "a/b/c"})
        CHECK(mode_of(directory.entry(name)) == 0700);
    CHECK(std::filesystem::is_empty(made->path()));
    CHECK(RuntimeDir::make(made->path())); // there already
}

TEST_CASE("a runtime directory that cannot be made says why") {
    const TempDir directory;
    directory.write("file", "");
    CHECK(RuntimeDir::make(directory.entry("file/d")).error().code == ENOTDIR);
    CHECK(contains(RuntimeDir::make(directory.entry("file")).error().message, "not a directory"));
}

TEST_CASE("a directory that is refused is not passed over for the next") {
    const TempDir directory;
    const std::string open_to_all = directory.entry("open");
    REQUIRE(::mkdir(open_to_all.c_str(), 0700) == 0);
    REQUIRE(::chmod(open_to_all.c_str(), 0755) == 0);
    const Result<ClaimedDir> claimed = claim_first({open_to_all, directory.entry("next")});
    REQUIRE_FALSE(claimed);
    CHECK(claimed.error().code == EPERM);
    CHECK_FALSE(std::filesystem::exists(directory.entry("next")));
}

TEST_CASE("a directory that is closed to its owner tells its mode") {
    const TempDir directory;
    REQUIRE(::chmod(directory.path().c_str(), 0) == 0);
    CHECK(contains(open_private_directory(directory.path()).error().message, "has mode 0000"));
    REQUIRE(::chmod(directory.path().c_str(), 0700) == 0);
}

TEST_CASE("what has the name of the lock is said to be in the way") {
    const TempDir directory;
    std::filesystem::create_directories(directory.entry("d/lock"));
    REQUIRE(::chmod(directory.entry("d").c_str(), 0700) == 0);
    const Result<ClaimedDir> claimed = claim_first({directory.entry("d"), directory.entry("next")});
    REQUIRE_FALSE(claimed);
    CHECK(contains(claimed.error().message,
                   ("'" + directory.entry("d/lock") + "' is not our lock").c_str()));
    CHECK(contains(claimed.error().message, "remove it"));
    CHECK_FALSE(std::filesystem::exists(directory.entry("next")));
}

TEST_CASE("where a directory cannot be made the next is taken, unless the user has named it") {
    const TempDir directory;
    REQUIRE(::symlink("nowhere/at/all", directory.entry("home").c_str()) == 0);
    const std::vector<std::string> choices{directory.entry("home/state"), directory.entry("next")};
    CHECK(claim_first(choices, choices[0]).error().code == ENOENT);
    CHECK(contains(claim_first(choices, choices[0]).error().message, "set LIVESOCK_DIR"));
    CHECK_FALSE(std::filesystem::exists(choices[1]));
    const Result<ClaimedDir> claimed = claim_first(choices);
    REQUIRE(claimed);
    CHECK(claimed->directory.path() == choices[1]);
}

TEST_CASE("the first directory that takes sockets is claimed, and is left tidy") {
    const TempDir directory;
    const Result<ClaimedDir> claimed = claim_first({directory.entry("a"), directory.entry("b")});
    REQUIRE(claimed);
    CHECK(claimed->directory.path() == directory.entry("a"));
    CHECK(std::filesystem::exists(directory.entry("a/lock")));
    CHECK_FALSE(std::filesystem::exists(directory.entry("a/trial.sock")));
    CHECK_FALSE(std::filesystem::exists(directory.entry("b")));
    // Who has it already is the answer, no reason to have two.
    CHECK(claim_first({directory.entry("a"), directory.entry("b")}).error().code == EWOULDBLOCK);
    CHECK(contains(claim_first({}).error().message, "set LIVESOCK_DIR"));
}

TEST_CASE("one supervisor at a time has the lock") {
    const TempDir directory;
    const RuntimeDir runtime = *RuntimeDir::make(directory.path());
    {
        const Result<SupervisorLock> first = SupervisorLock::acquire(runtime);
        REQUIRE(first);
        const Result<SupervisorLock> second = SupervisorLock::acquire(runtime);
        REQUIRE_FALSE(second);
        CHECK(second.error().code == EWOULDBLOCK);
        CHECK(second.error().message == "already running, pid " + std::to_string(::getpid()));
        CHECK(mode_of(directory.entry("lock")) == 0600);
    }
    Result<SupervisorLock> next = SupervisorLock::acquire(runtime);
    REQUIRE(next);
    next->release();
    CHECK(SupervisorLock::acquire(runtime));
}

TEST_CASE("a lock left by a killed supervisor is free") {
    const TempDir directory;
    const RuntimeDir runtime = *RuntimeDir::make(directory.path());
    const pid_t child = ::fork();
    if (child == 0) {
        const Result<SupervisorLock> lock = SupervisorLock::acquire(runtime);
        ::_exit(lock ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(SupervisorLock::acquire(runtime));
}

TEST_CASE("a lock that is a symlink is refused") {
    const TempDir directory;
    const RuntimeDir runtime = *RuntimeDir::make(directory.path());
    const std::string target = directory.write("target", "precious");
    REQUIRE(::symlink(target.c_str(), directory.entry("lock").c_str()) == 0);
    CHECK(SupervisorLock::acquire(runtime).error().code == EPERM);
    CHECK(std::filesystem::file_size(target) == 8);
}
