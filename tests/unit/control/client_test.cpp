#include "supervisor/control/client.hpp"

#include "preload/report.h"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unix_socket.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

/// A client on one end of a socket pair; the test is the supervisor on the other.
struct Pair {
    explicit Pair(std::array<int, 2> fds = connected())
        : server(fds[1])
        , client(ControlClient::on(UniqueFd(fds[0]), "/run/somewhere")) {}

    static std::array<int, 2> connected() {
        std::array<int, 2> fds{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
        return fds;
    }
    /// What the supervisor says before it is asked: the client reads it after it has asked.
    void say(std::string_view text) const {
        REQUIRE(::send(server.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }
    std::string heard() const {
        std::string text(4096, '\0');
        const ssize_t count = ::recv(server.get(), text.data(), text.size(), MSG_DONTWAIT);
        text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return text;
    }

    UniqueFd server;
    ControlClient client;
};

/// A private directory that is removed with all that is in it.
struct TempDir {
    TempDir() {
        std::string form = "/tmp/livesock-test-XXXXXX";
        REQUIRE(::mkdtemp(form.data()) != nullptr);
        path = form;
    }
    ~TempDir() { std::filesystem::remove_all(path); }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    std::string path;
};

int code_of(const Result<ControlAnswer>& answer) {
    return answer ? 0 : answer.error().code;
}

} // namespace

TEST_CASE("a request is one line of JSON with its members") {
    Pair pair;
    pair.say("{\"ok\":true}\n");
    REQUIRE(pair.client.ask({.command = "wait",
                             .members = {{"timeout_ms", std::int64_t{250}},
                                         {"path", "/a \"b\"\n"},
                                         {"none", nullptr}}}));
    CHECK(pair.heard() == "{\"command\":\"wait\",\"none\":null,\"path\":\"/a \\\"b\\\"\\n\","
                          "\"timeout_ms\":250}\n");
}

TEST_CASE("an answer is handed over whole, with why it is no") {
    Pair pair;
    pair.say("{\"ok\":true,\"pid\":7}\n{\"ok\":false,\"error\":\"no such agent\",\"code\":"
             "\"not_found\"}\n");
    const Result<ControlAnswer> yes = pair.client.ask({.command = "ping"});
    REQUIRE(yes);
    CHECK(yes->ok);
    CHECK(yes->text == "{\"ok\":true,\"pid\":7}");
    const Result<ControlAnswer> no = pair.client.ask({.command = "use"});
    REQUIRE(no);
    CHECK(!no->ok);
    CHECK(no->error == "no such agent");
    CHECK(no->code == "not_found");
    pair.say(R"({"ok":false,"error":"no agent is called 'a\\\\b'\u001b[2J"})"
             "\n");
    CHECK(pair.client.ask({.command = "use"})->error == R"(no agent is called 'a\\b'\x1b[2J)");
}

TEST_CASE("an answer whose members have other types is an answer that says no") {
    Pair pair;
    pair.say("{\"ok\":\"true\",\"error\":5,\"code\":null}\n");
    const Result<ControlAnswer> answer = pair.client.ask({.command = "ping"});
    REQUIRE(answer);
    CHECK(!answer->ok);
    CHECK(answer->error.empty());
    CHECK(answer->code.empty());
}

TEST_CASE("an answer that comes in pieces is put together") {
    Pair pair;
    std::thread supervisor([&] {
        pollfd entry{pair.server.get(), POLLIN, 0};
        ::poll(&entry, 1, -1);
        for (const char c : std::string_view("{\"ok\":true}\n"))
            ::send(pair.server.get(), &c, 1, MSG_NOSIGNAL);
    });
    CHECK(pair.client.ask({.command = "ping"}));
    supervisor.join();
}

TEST_CASE("a supervisor that does not answer is an error within the limit") {
    Pair pair;
    SUBCASE("it says nothing") {}
    SUBCASE("it says half a line") {
        pair.say("{\"ok\":");
    }
    const TimePoint start = Clock::now();
    CHECK(code_of(pair.client.ask({.command = "ping"}, 30ms)) == ETIMEDOUT);
    CHECK(Clock::now() - start >= 30ms);
    CHECK(Clock::now() - start < 3s);
}

TEST_CASE("a supervisor that reads nothing is an error within the limit") {
    Pair pair;
    const ControlRequest big{.command = "register",
                             .members = {{"path", std::string(8 * 1024 * 1024, 'x')}}};
    CHECK(code_of(pair.client.ask(big, 30ms)) == ETIMEDOUT);
}

TEST_CASE("a supervisor that ends before it answered is an error") {
    Pair pair;
    SUBCASE("before it was asked") {}
    SUBCASE("in the middle of its answer") {
        pair.say("{\"ok\":true");
    }
    pair.server.reset();
    CHECK(code_of(pair.client.ask({.command = "ping"})) == ECONNRESET);
}

TEST_CASE("what is no JSON object is no answer") {
    Pair pair;
    for (const char* line : {"\n", "hello\n", "[]\n", "5\n", "{\"ok\":true\n", "{\"ok\":true}}\n",
                             "{\"ok\":\"\xff\"}\n"}) {
        pair.say(line);
        CHECK_MESSAGE(code_of(pair.client.ask({.command = "ping"})) == EBADMSG, line);
    }
}

TEST_CASE("an answer without end is given up, not collected") {
    Pair pair;
    std::thread supervisor([&] {
        const std::string chunk(1024 * 1024, 'x');
        while (::send(pair.server.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL) > 0)
            continue;
    });
    CHECK(code_of(pair.client.ask({.command = "status"}, 20s)) == EMSGSIZE);
    pair.client = ControlClient::on(UniqueFd(), "");
    supervisor.join();
}

TEST_CASE("a name that JSON cannot carry is an error before anything is sent") {
    Pair pair;
    CHECK(code_of(pair.client.ask({.command = "register", .members = {{"path", "/tmp/\xff"}}})) ==
          EILSEQ);
    CHECK(pair.heard().empty());
}

TEST_CASE("the end of the supervisor is waited for") {
    Pair pair;
    SUBCASE("it ends") {
        pair.say("left over\n");
        pair.server.reset();
        CHECK(pair.client.wait_for_end(5s));
    }
    SUBCASE("it does not") {
        const Result<void> ended = pair.client.wait_for_end(20ms);
        REQUIRE(!ended);
        CHECK(ended.error().code == ETIMEDOUT);
    }
}

TEST_CASE("connecting tells nobody there from somebody else") {
    const TempDir directory;
    const std::string socket = directory.path + '/' + control_socket_name;
    SUBCASE("no directory") {
        const auto client = ControlClient::connect(directory.path + "/none");
        REQUIRE(!client);
        CHECK(client.error().code == ENOENT);
    }
    SUBCASE("no socket") {
        const auto client = ControlClient::connect(directory.path);
        REQUIRE(!client);
        CHECK(client.error().code == ENOENT);
    }
    SUBCASE("a socket that nobody listens on") {
        REQUIRE(listen_at(socket));
        const auto client = ControlClient::connect(directory.path);
        REQUIRE(!client);
        CHECK(client.error().code == ENOENT);
    }
    SUBCASE("a directory that others can enter") {
        const Result<UniqueFd> listening = listen_at(socket);
        REQUIRE(listening);
        REQUIRE(::chmod(directory.path.c_str(), 0755) == 0);
        const auto client = ControlClient::connect(directory.path);
        REQUIRE(!client);
        CHECK(client.error().code == EPERM);
    }
    SUBCASE("a supervisor") {
        const Result<UniqueFd> listening = listen_at(socket);
        REQUIRE(listening);
        const auto client = ControlClient::connect(directory.path);
        REQUIRE(client);
        CHECK(client->directory() == directory.path);
    }
}
