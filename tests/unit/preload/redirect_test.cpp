#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "preload/redirect.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <vector>

using livesock::Redirection;

namespace {

const std::string stale = "/tmp/ssh-XXXXabcdef/agent.4711";
const std::string directory = "/home/u/.local/state/livesock/host";
const std::string live = directory + "/live";
const std::string stable = directory + "/agent.sock";

/// An address as a client hands it over, its length under the test's control.
struct Address {
    explicit Address(const std::string& path) {
        value.sun_family = AF_UNIX;
        std::memcpy(value.sun_path, path.data(), path.size());
        len = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }

    sockaddr_un value = {};
    socklen_t len;
};

/// A kernel with a script: what each path answers. Records what it was asked.
struct FakeKernel {
    struct Call {
        int fd;
        std::string path;
        const void* addr;
        socklen_t len;
    };

    static int connect(int fd, const sockaddr* addr, socklen_t len) {
        sockaddr_un copy = {};
        if (addr != nullptr)
            std::memcpy(&copy, addr, std::min<std::size_t>(len, sizeof copy));
        const std::string path(copy.sun_path, strnlen(copy.sun_path, sizeof copy.sun_path));
        calls.push_back({fd, path, addr, len});
        const auto answer = answers.find(path);
        const int error = answer == answers.end() ? ENOENT : answer->second;
        if (error == 0)
            return 0;
        error_number = error;
        return -1;
    }

    static std::vector<std::string> asked() {
        std::vector<std::string> paths;
        for (const Call& call : calls)
            paths.push_back(call.path);
        return paths;
    }

    static inline std::vector<Call> calls;
    static inline std::map<std::string, int> answers;
    static inline int error_number;
};

using Paths = std::vector<std::string>;

void arm(Redirection& redirection, const std::vector<std::string>& variables) {
    std::vector<const char*> environment;
    for (const std::string& variable : variables)
        environment.push_back(variable.c_str());
    environment.push_back(nullptr);
    redirection.arm(environment.data());
}

/// Whether a process that starts with these is armed.
bool arms(const std::string& path, const std::string& dir = directory) {
    Redirection redirection;
    arm(redirection, {"SSH_AUTH_SOCK=" + path, "LIVESOCK_DIR=" + dir});
    return redirection.may_concern(sizeof(sockaddr_un));
}

constexpr int untouched = 12345;

struct Fixture {
    Fixture() {
        FakeKernel::calls.clear();
        FakeKernel::answers.clear();
        FakeKernel::error_number = untouched;
        arm(redirection, {"SSH_AUTH_SOCK=" + stale, "LIVESOCK_DIR=" + directory});
    }

    int connect(const Address& address, int fd = 7) {
        return connect(address.get(), address.len, fd);
    }
    int connect(const sockaddr* addr, socklen_t len, int fd = 7) {
        return redirection.connect(&FakeKernel::connect, FakeKernel::error_number, fd, addr, len);
    }

    Redirection redirection;
};

} // namespace

TEST_CASE("only the shapes of a forwarded agent socket, or agent.sock itself, arm it") {
    for (const char* path : {
             "/tmp/ssh-XXXXabcdef/agent.4711",
             "/tmp/ssh-a/agent.1",
             "/home/u/.ssh/agent/s.wIZbmoyiHT.sshd.4Q2vPv5zNn",
             "/.ssh/agent/s.a.sshd.b",
             "/home/u/x/.ssh/agent/s.a.b.sshd.c.d",
             "/tmp/vscode-ssh-auth-sock-123456",
             "/run/user/1000/vscode-ssh-auth-5b6d.sock",
         }) {
        CAPTURE(path);
        CHECK(arms(path));
    }
    CHECK(arms(stable));

    for (const char* path : {
             "",
             "/nonexistent",
             "/dev/null",
             "none",
             "/tmp/ssh-XXXXabcdef/agent",
             "/tmp/ssh-XXXXabcdef/agent.",
             "/tmp/ssh-/agent.1",
             "/tmp/ssh-a/b/agent.1",
             "/tmp/ssh-a/agent.1/b",
             "/tmp/ssh-a/xagent.1",
             "/tmp/xssh-a/agent.1",
             "/var/tmp/ssh-a/agent.1",
             "tmp/ssh-a/agent.1",
             "/run/user/1000/keyring/ssh",
             "/run/user/1000/gnupg/S.gpg-agent.ssh",
             "/run/user/1000/openssh_agent",
             "/home/u/.ssh/agent/s.wIZbmoyiHT.agent.4Q2vPv5zNn",
             "/home/u/.ssh/agent/s.sshd.b",
             "/home/u/.ssh/agent/s.a.sshd.",
             "/home/u/.ssh/agent/s.a/b.sshd.c",
             "/home/u/.ssh/agent/s.a.sshd.b/c",
             "/home/u/.ssh/xagent/s.a.sshd.b",
             "home/u/.ssh/agent/s.a.sshd.b",
             "/tmp/vscode-ssh-auth-",
             "/tmp/vscode-ssh-auth-a/b",
             "vscode-ssh-auth-a",
             "/home/u/.local/state/livesock/host/live",
             "/home/u/.local/state/livesock/host/agent.sock2",
             "/home/u/.local/state/livesock/host/agent.soc",
             "/home/u/.local/state/livesock/other/agent.sock",
         }) {
        CAPTURE(path);
        CHECK_FALSE(arms(path));
    }
}

TEST_CASE("without LIVESOCK_DIR, with an empty, a relative or a too long one it is not armed") {
    Redirection redirection;
    arm(redirection, {"SSH_AUTH_SOCK=" + stale, "LIVESOCK_DIRS/a=", "XLIVESOCK_DIR=/a",
                      "LIVESOCK_DIRS=/a", "LIVESOCK_DIR"});
    CHECK_FALSE(redirection.may_concern(sizeof(sockaddr_un)));
    CHECK_FALSE(arms(stale, ""));
    CHECK_FALSE(arms(stale, "relative/directory"));
    CHECK_FALSE(arms(stale, "/"));

    const std::size_t longest = sizeof(sockaddr_un::sun_path) - sizeof "/agent.sock";
    CHECK(arms(stale, "/" + std::string(longest - 1, 'd')));
    CHECK_FALSE(arms(stale, "/" + std::string(longest, 'd')));
    for (std::size_t length = longest; length < 300; ++length)
        CHECK_FALSE(arms(stale, "/" + std::string(length, 'd')));
}

TEST_CASE("without SSH_AUTH_SOCK it is not armed; of two the first counts, as for getenv") {
    Redirection without;
    arm(without, {"LIVESOCK_DIR=" + directory, "SSH_AUTH_SOCKET=" + stale, "SSH_AUTH_SOCK"});
    CHECK_FALSE(without.may_concern(sizeof(sockaddr_un)));

    Redirection twice;
    arm(twice,
        {"SSH_AUTH_SOCK=/nonexistent", "SSH_AUTH_SOCK=" + stale, "LIVESOCK_DIR=" + directory});
    CHECK_FALSE(twice.may_concern(sizeof(sockaddr_un)));
}

TEST_CASE("slashes at the end of LIVESOCK_DIR do not matter") {
    CHECK(arms(stable, directory + "/"));
    CHECK(arms(stable, directory + "///"));
}

TEST_CASE("a startup path may fill sun_path, and no more") {
    const std::string prefix = "/tmp/ssh-";
    const std::string suffix = "/agent.1";
    const auto path_of = [&](std::size_t length) {
        return prefix + std::string(length - prefix.size() - suffix.size(), 'x') + suffix;
    };
    CHECK(arms(path_of(107)));
    CHECK(arms(path_of(108)));
    CHECK_FALSE(arms(path_of(109)));
    CHECK_FALSE(arms(path_of(4000)));
}

TEST_CASE_FIXTURE(Fixture, "a path that answers is asked once, with the caller's own arguments") {
    FakeKernel::answers[stale] = 0;
    FakeKernel::answers[live] = 0;
    const Address address(stale);
    CHECK(connect(address, 9) == 0);
    REQUIRE(FakeKernel::calls.size() == 1);
    CHECK(FakeKernel::calls[0].fd == 9);
    CHECK(FakeKernel::calls[0].addr == address.get());
    CHECK(FakeKernel::calls[0].len == address.len);
    CHECK(FakeKernel::error_number == untouched);
}

TEST_CASE_FIXTURE(Fixture, "nobody there: live, then agent.sock, on the same descriptor") {
    for (const int error : {ENOENT, ECONNREFUSED, ENOTDIR}) {
        CAPTURE(error);
        FakeKernel::answers[stale] = error;
        FakeKernel::calls.clear();
        SUBCASE("live answers") {
            FakeKernel::answers[live] = 0;
            CHECK(connect(Address(stale)) == 0);
            CHECK(FakeKernel::asked() == Paths{stale, live});
            CHECK(FakeKernel::error_number == untouched);
        }
        SUBCASE("agent.sock answers") {
            FakeKernel::answers[stable] = 0;
            CHECK(connect(Address(stale)) == 0);
            CHECK(FakeKernel::asked() == Paths{stale, live, stable});
            CHECK(FakeKernel::error_number == untouched);
        }
        SUBCASE("nobody at all: the first error") {
            FakeKernel::answers[live] = EACCES;
            FakeKernel::answers[stable] = EPROTOTYPE;
            CHECK(connect(Address(stale)) == -1);
            CHECK(FakeKernel::asked() == Paths{stale, live, stable});
            CHECK(FakeKernel::error_number == error);
        }
        for (const FakeKernel::Call& call : FakeKernel::calls)
            CHECK(call.fd == 7);
        FakeKernel::error_number = untouched;
    }
}

TEST_CASE_FIXTURE(Fixture, "the addresses of a redirection are paths with their NUL") {
    connect(Address(stale));
    REQUIRE(FakeKernel::calls.size() == 3);
    CHECK(FakeKernel::calls[1].len == offsetof(sockaddr_un, sun_path) + live.size() + 1);
    CHECK(FakeKernel::calls[2].len == offsetof(sockaddr_un, sun_path) + stable.size() + 1);
    for (std::size_t i = 1; i < 3; ++i) {
        sockaddr_un addr;
        std::memcpy(&addr, FakeKernel::calls[i].addr, FakeKernel::calls[i].len);
        CHECK(addr.sun_family == AF_UNIX);
    }
}

TEST_CASE_FIXTURE(Fixture, "any other error is an answer, and stays") {
    FakeKernel::answers[live] = 0;
    for (const int error :
         {EAGAIN, EINTR, EINPROGRESS, EALREADY, EISCONN, EPROTOTYPE, EACCES, EPERM, EBADF, EFAULT,
          EINVAL, ENOTSOCK, ELOOP, ENAMETOOLONG, ETIMEDOUT}) {
        CAPTURE(error);
        FakeKernel::calls.clear();
        FakeKernel::answers[stale] = error;
        CHECK(connect(Address(stale)) == -1);
        CHECK(FakeKernel::error_number == error);
        CHECK(FakeKernel::asked() == Paths{stale});
    }
}

TEST_CASE_FIXTURE(Fixture, "a redirection answered with \"not now\" ends there, with that answer") {
    FakeKernel::answers[stable] = 0;
    for (const int error : {EAGAIN, EINTR, EINPROGRESS, EALREADY, EISCONN}) {
        CAPTURE(error);
        FakeKernel::calls.clear();
        FakeKernel::answers[live] = error;
        CHECK(connect(Address(stale)) == -1);
        CHECK(FakeKernel::error_number == error);
        CHECK(FakeKernel::asked() == Paths{stale, live});
    }
}

TEST_CASE_FIXTURE(Fixture, "only the startup path itself is redirected") {
    FakeKernel::answers[live] = 0;
    for (const std::string& path : {
             stale + "2", stale.substr(0, stale.size() - 1), std::string("/nonexistent"),
             std::string("/tmp/ssh-other/agent.4711"), "/" + stale, std::string(), live, stable,
             std::string(1, '\0') + stale, // abstract
         }) {
        CAPTURE(path);
        FakeKernel::calls.clear();
        FakeKernel::answers[live] = path == live ? ENOENT : 0;
        CHECK(connect(Address(path)) == -1);
        CHECK(FakeKernel::calls.size() == 1);
    }
    Address other_family(stale);
    other_family.value.sun_family = AF_INET;
    FakeKernel::calls.clear();
    CHECK(connect(other_family) == -1);
    CHECK(FakeKernel::calls.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a path ends at its NUL, or at the end of the address") {
    FakeKernel::answers[live] = 0;
    const auto offset = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path));
    const auto path_length = static_cast<socklen_t>(stale.size());
    const Address address(stale);

    for (socklen_t len = 0; len <= sizeof(sockaddr_un); ++len) {
        CAPTURE(len);
        FakeKernel::error_number = untouched;
        // The kernel would refuse the shortest: the fake says ENOENT to be hard on the code.
        const int result = connect(address.get(), len);
        CHECK(result == (len >= offset + path_length ? 0 : -1));
    }
    CHECK(connect(address.get(), sizeof(sockaddr_un) + 1) == -1);
    CHECK(connect(address.get(), static_cast<socklen_t>(-1)) == -1);

    // Unterminated: what follows the address in memory is not part of it.
    Address followed(stale);
    std::memset(followed.value.sun_path + stale.size(), 'x', 8);
    CHECK(connect(followed.get(), offset + path_length) == 0);
    CHECK(connect(followed.get(), offset + path_length + 1) == -1);

    // Whatever stands behind the NUL does not count.
    Address behind(stale);
    std::memset(behind.value.sun_path + stale.size() + 1, 'x', 8);
    CHECK(connect(behind.get(), sizeof(sockaddr_un)) == 0);
}

TEST_CASE("a startup path of 108 bytes is known without a NUL") {
    const std::string path = "/tmp/ssh-" + std::string(91, 'x') + "/agent.1";
    REQUIRE(path.size() == 108);
    Redirection redirection;
    arm(redirection, {"SSH_AUTH_SOCK=" + path, "LIVESOCK_DIR=" + directory});
    FakeKernel::answers = {{live, 0}};
    sockaddr_un addr = {};
    addr.sun_family = AF_UNIX;
    std::memcpy(addr.sun_path, path.data(), path.size());
    CHECK(redirection.connect(&FakeKernel::connect, FakeKernel::error_number, 7,
                              reinterpret_cast<const sockaddr*>(&addr), sizeof addr) == 0);
}

TEST_CASE_FIXTURE(Fixture, "an address at an odd place in memory is understood") {
    FakeKernel::answers[live] = 0;
    const Address address(stale);
    alignas(8) char buffer[sizeof address.value + 1];
    std::memcpy(buffer + 1, &address.value, sizeof address.value);
    CHECK(connect(reinterpret_cast<const sockaddr*>(buffer + 1), address.len) == 0);
}

TEST_CASE_FIXTURE(Fixture, "a bad address the kernel refuses is never read") {
    FakeKernel::answers[""] = EFAULT;
    CHECK(connect(nullptr, sizeof(sockaddr_un)) == -1);
    CHECK(FakeKernel::error_number == EFAULT);
    CHECK(FakeKernel::calls.size() == 1);
}

TEST_CASE("not armed, everything passes as it is") {
    Redirection redirection;
    FakeKernel::calls.clear();
    FakeKernel::answers = {{live, 0}};
    const Address address(stale);
    for (const socklen_t len :
         {socklen_t{0}, socklen_t{2}, address.len, static_cast<socklen_t>(-1)})
        CHECK_FALSE(redirection.may_concern(len));
    CHECK(redirection.connect(&FakeKernel::connect, FakeKernel::error_number, 7, address.get(),
                              address.len) == -1);
    CHECK(FakeKernel::calls.size() == 1);
}

TEST_CASE("with agent.sock as the startup path, live comes before it is tried again") {
    Redirection redirection;
    arm(redirection, {"LIVESOCK_DIR=" + directory, "SSH_AUTH_SOCK=" + stable});
    FakeKernel::calls.clear();
    FakeKernel::answers = {{live, 0}};
    const Address address(stable);
    CHECK(redirection.connect(&FakeKernel::connect, FakeKernel::error_number, 7, address.get(),
                              address.len) == 0);
    CHECK(FakeKernel::asked() == Paths{stable, live});
}
