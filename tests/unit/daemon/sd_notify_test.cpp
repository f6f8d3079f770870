#include "supervisor/daemon/sd_notify.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/unit/daemon/in_child.hpp"

#include <cstddef>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>

using namespace livesock;

namespace {

/// The service manager's end of NOTIFY_SOCKET, bound to `name` (a leading '@': abstract).
class Manager {
  public:
    explicit Manager(const std::string& name)
        : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        REQUIRE(name.size() <= sizeof address.sun_path);
        std::memcpy(address.sun_path, name.data(), name.size());
        if (name[0] == '@')
            address.sun_path[0] = '\0';
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    }
    /// The next message; empty if there is none.
    std::string heard() const {
        char buffer[256];
        const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
        return {buffer, count > 0 ? static_cast<std::size_t>(count) : 0};
    }

  private:
    UniqueFd fd_;
};

/// What the service manager passes, and what becomes of it.
struct Passed {
    InChild child;
    std::string path = child.temp().entry("agent.sock");
    std::vector<UniqueFd> fds; // those from 3 up in the child
    std::string count;         // LISTEN_FDS; as many as there are if it is empty
    std::optional<std::string> names;
    bool is_for_another = false;

    // As the service manager makes them: they block, at the path itself.
    void add_bound(const std::string& at, int type = SOCK_STREAM) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, at.c_str(), sizeof address.sun_path - 1);
        fds.emplace_back(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        REQUIRE(::bind(fds.back().get(), reinterpret_cast<const sockaddr*>(&address),
                       sizeof address) == 0);
    }
    void add_listener(const std::string& at) {
        add_bound(at);
        REQUIRE(::listen(fds.back().get(), 1) == 0);
    }

    /// "none", the number of the descriptor that was taken, or "error: " and the reason.
    std::string take() {
        const Ended ended = child.run([&](const InChild& test) {
            pass();
            Result<UniqueFd> taken = take_passed_socket(path);
            std::string told = "none";
            if (!taken)
                told = "error: " + taken.error().message;
            else if (*taken)
                told = std::to_string(taken->get());
            if (taken && *taken &&
                ((::fcntl(taken->get(), F_GETFL) & O_NONBLOCK) == 0 ||
                 ::fcntl(taken->get(), F_GETFD) != FD_CLOEXEC))
                told += ", which blocks or is inherited";
            for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
                if (std::getenv(name) != nullptr)
                    told += std::string(", and ") + name + " is left";
            test.note(told);
        });
        CHECK(ended.status == 0);
        return ended.note;
    }

  private:
    void pass() const {
        const int first = 3;
        std::vector<int> away;
        for (const UniqueFd& fd : fds)
            away.push_back(::fcntl(fd.get(), F_DUPFD, 100));
        for (std::size_t i = 0; i < away.size(); ++i)
            ::dup2(away[i], first + static_cast<int>(i));
        const pid_t pid = is_for_another ? ::getppid() : ::getpid();
        ::setenv("LISTEN_PID", std::to_string(pid).c_str(), 1);
        ::setenv("LISTEN_FDS", (count.empty() ? std::to_string(fds.size()) : count).c_str(), 1);
        if (names)
            ::setenv("LISTEN_FDNAMES", names->c_str(), 1);
    }
};

std::string wrong_path(const std::string& bound, const std::string& path) {
    return "error: the socket that the service manager passes listens at '" + bound +
           "': set ListenStream=" + path;
}

} // namespace

TEST_CASE("the service manager is told at the socket that it names") {
    const TempDir temp;
    std::string name;
    SUBCASE("a path") {
        name = temp.entry("notify");
    }
    SUBCASE("the longest path") {
        name = temp.entry("");
        name += std::string(longest_socket_path - name.size(), 'n');
    }
    SUBCASE("an abstract name") {
        name = "@" + temp.entry("notify");
    }
    const Manager manager(name);
    const ScopedVariable variable("NOTIFY_SOCKET", name.c_str());
    notify_service_manager("READY=1");
    notify_service_manager("STOPPING=1");
    CHECK(manager.heard() == "READY=1");
    CHECK(manager.heard() == "STOPPING=1");
    CHECK(manager.heard().empty());
}

TEST_CASE("without a service manager nothing happens") {
    const TempDir temp;
    std::optional<std::string> name;
    SUBCASE("no name") {}
    SUBCASE("an empty name") {
        name = "";
    }
    SUBCASE("a name that is too short") {
        name = "@";
    }
    SUBCASE("a name that is too long") {
        name = temp.entry(std::string(200, 'x'));
    }
    SUBCASE("nobody there") {
        name = temp.entry("none");
    }
    const ScopedVariable variable("NOTIFY_SOCKET", name ? name->c_str() : nullptr);
    notify_service_manager("READY=1");
}

TEST_CASE("a service manager that does not listen is not waited for") {
    const TempDir temp;
    const std::string name = temp.entry("notify");
    const Manager manager(name);
    const ScopedVariable variable("NOTIFY_SOCKET", name.c_str());
    for (int i = 0; i < 5000; ++i)
        notify_service_manager("READY=1");
    CHECK(manager.heard() == "READY=1");
}

TEST_CASE("the only socket that is passed is taken, whatever its name") {
    Passed passed;
    passed.add_listener(passed.path);
    SUBCASE("none") {}
    SUBCASE("an empty one") {
        passed.names = "";
    }
    SUBCASE("ours") {
        passed.names = "agent";
    }
    SUBCASE("that of the unit") {
        passed.names = "livesock.socket";
    }
    CHECK(passed.take() == "3");
}

TEST_CASE("of several sockets the one that is named agent is taken") {
    Passed passed;
    const std::string other = passed.child.temp().entry("other.sock");
    SUBCASE("the last") {
        passed.add_listener(other);
        passed.add_listener(other + "2");
        passed.add_listener(passed.path);
        passed.names = "agents:an agent:agent";
        CHECK(passed.take() == "5");
    }
    SUBCASE("the first") {
        passed.add_listener(passed.path);
        passed.add_listener(other);
        passed.names = "agent:other";
        CHECK(passed.take() == "3");
    }
    SUBCASE("between others") {
        passed.add_listener(other);
        passed.add_listener(passed.path);
        passed.add_listener(other + "2");
        passed.names = ":agent:";
        CHECK(passed.take() == "4");
    }
}

TEST_CASE("several sockets of which none is named agent are an error") {
    Passed passed;
    passed.add_listener(passed.path);
    passed.add_listener(passed.child.temp().entry("other.sock"));
    SUBCASE("no names") {}
    SUBCASE("other names") {
        passed.names = "one:two";
    }
    SUBCASE("a name too many") {
        passed.names = "one:two:agent";
    }
    CHECK(passed.take() == "error: several sockets are passed by the service manager: name the "
                           "agent's one FileDescriptorName=agent");
}

TEST_CASE("nothing is taken where nothing is passed to this process") {
    Passed passed;
    passed.add_listener(passed.path);
    SUBCASE("but to another one") {
        passed.is_for_another = true;
    }
    SUBCASE("none") {
        passed.count = "0";
    }
    SUBCASE("less than none") {
        passed.count = "-1";
    }
    SUBCASE("more than can be") {
        passed.count = "65";
    }
    SUBCASE("no number") {
        passed.count = "many";
    }
    CHECK(passed.take() == "none");
}

TEST_CASE("a process that was started without a service manager takes nothing") {
    InChild child;
    const Ended ended = child.run([](const InChild& test) {
        for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
            ::unsetenv(name);
        const Result<UniqueFd> taken = take_passed_socket("/run/agent.sock");
        test.note(taken && !*taken ? "none" : "some");
    });
    CHECK(ended.note == "none");
}

TEST_CASE("a socket that does not listen at our path is refused") {
    Passed passed;
    SUBCASE("it listens elsewhere") {
        const std::string other = passed.child.temp().entry("other.sock");
        passed.add_listener(other);
        CHECK(passed.take() == wrong_path(other, passed.path));
    }
    SUBCASE("it does not listen") {
        passed.add_bound(passed.path);
        CHECK(passed.take() == wrong_path(passed.path, passed.path));
    }
    SUBCASE("it takes datagrams") {
        passed.add_bound(passed.path, SOCK_DGRAM);
        CHECK(passed.take() == wrong_path(passed.path, passed.path));
    }
    SUBCASE("it is no socket") {
        passed.fds.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
        CHECK(passed.take() == wrong_path("", passed.path));
    }
}
