#include "supervisor/signing/signing_service.hpp"

#include "supervisor/agent/public_key.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <cerrno>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

const std::string signature =
    WireWriter().string("ssh-ed25519").string(std::string(64, 's')).bytes();

/// A service between a client and an agent that the test plays.
struct Signing {
    TempDir temp;
    EventLoop loop = make_loop();
    FakeAgent agent{loop, temp.entry("agent"), {{make_blob('a'), "alice"}}};
    AgentCounts counts{.live = 1};
    bool is_shut = false;
    std::unique_ptr<SigningService> service;
    SigningSettings settings{
        .name = "box", .listen = {.path = temp.entry("s"), .endpoint = {}}, .timeout = 1h};

    Signing() {
        agent.answer = [](const FakeAgent::Request& request) -> std::optional<std::string> {
            if (kind_of(Message(request.frame)) != RequestKind::sign)
                return std::nullopt;
            return make_frame(MessageType::sign_response, WireWriter().string(signature).bytes());
        };
        service = std::make_unique<SigningService>(
            loop,
            [this]() -> Result<UniqueFd> {
                return is_shut ? Result<UniqueFd>(Error{"shut", EMFILE}) : dial(agent.path());
            },
            [this] { return counts; });
        service->apply({settings});
    }
    void answer_usually() {
        const auto before = agent.answer;
        agent.answer = [this, before](const FakeAgent::Request& request) {
            if (kind_of(Message(request.frame)) == RequestKind::list)
                return std::optional(identities_answer(agent.keys));
            return before(request);
        };
    }

    std::string ask(const std::string& method, const std::string& target,
                    const std::string& body = {}) {
        FarEnd client(settings.listen.path);
        client.send(
            method + ' ' + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
            (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
            "\r\n" + body);
        CHECK(run_until(loop, [&] { return client.at_end(); }));
        return client.take();
    }
    std::string sign(const std::string& query = {}) { return ask("POST", "/sign" + query, "m"); }
    int status(const std::string& answer) { return std::stoi(answer.substr(9, 3)); }
};

} // namespace

TEST_CASE("a signature is made by the key that the agent lists first") {
    Signing signing;
    signing.answer_usually();
    const std::string answer = signing.sign();
    CHECK(signing.status(answer) == 200);
    CHECK(answer.find("-----BEGIN SSH SIGNATURE-----\n") != std::string::npos);
    CHECK(signing.service->listeners()[0].metrics.signatures() == 1);
}

TEST_CASE("who names the whole key needs no list") {
    Signing signing;
    std::string line = key_line(make_blob('a'));
    line.replace(line.find(' '), 1, "%20");
    CHECK(signing.status(signing.sign("?key=" + line)) == 200);
    CHECK(signing.agent.count(request_identities_frame()) == 0);
}

TEST_CASE("what the agents are doing tells one failure from another") {
    Signing signing;
    signing.agent.answer = [](const FakeAgent::Request&) { return std::optional(failure_frame()); };
    SUBCASE("nobody is there") {
        signing.counts = {};
        CHECK(signing.status(signing.sign()) == 503);
    }
    SUBCASE("somebody is, but silent") {
        signing.counts = {.hung = 1};
        CHECK(signing.status(signing.sign()) == 504);
    }
    SUBCASE("the agent cannot be asked") {
        signing.is_shut = true;
        CHECK(signing.status(signing.sign()) == 503);
    }
    SUBCASE("the agent hangs up") {
        signing.agent.answer = nullptr;
        signing.agent.hangs_up_on_requests = true;
        CHECK(signing.status(signing.sign()) == 503);
    }
}

TEST_CASE("a request waits for the agent when it is complete, and not while it is uploaded") {
    Signing signing;
    const auto in_progress = [&](std::string_view count) {
        return signing.ask("GET", "/metrics")
                   .find(fmt::format("in_progress{{listener=\"box\"}} {}\n", count)) !=
               std::string::npos;
    };
    FarEnd client(signing.settings.listen.path);
    client.send("POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1");
    settle(signing.loop);
    CHECK(in_progress("0"));
    client.send("2");
    REQUIRE(run_until(signing.loop, [&] { return signing.agent.requests.size() == 1; }));
    CHECK(in_progress("1"));
}

TEST_CASE("a list that is no list makes no signature") {
    Signing signing;
    signing.agent.answer = [](const FakeAgent::Request&) {
        return std::optional(make_frame(MessageType::identities_answer, "nonsense"));
    };
    CHECK(signing.status(signing.sign()) == 503);
}

TEST_CASE("an agent that answers nothing is given up after the listener's timeout") {
    Signing signing;
    signing.settings.timeout = 20ms;
    signing.service->apply({signing.settings});
    signing.agent.is_silent = true;
    CHECK(signing.status(signing.sign()) == 504);
    CHECK(signing.status(signing.ask("GET", "/publickey")) == 504);
}

TEST_CASE("a client that leaves ends its conversation with the agent") {
    Signing signing;
    signing.agent.is_silent = true;
    FarEnd client(signing.settings.listen.path);
    client.send("POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nm");
    REQUIRE(run_until(signing.loop, [&] { return signing.agent.requests.size() == 1; }));
    client.close();
    CHECK(run_until(signing.loop, [&] { return signing.agent.open_connections() == 0; }));
}

TEST_CASE("a listener that stays keeps its socket, one that goes takes its name along") {
    Signing signing;
    FarEnd client(signing.settings.listen.path);
    settle(signing.loop);
    signing.settings.namespaces = {"file"};
    signing.service->apply({signing.settings});
    client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(run_until(signing.loop, [&] { return !client.received().empty(); }));
    CHECK(signing.status(signing.sign("?namespace=git")) == 403);
    signing.service->apply({});
    CHECK_FALSE(std::filesystem::exists(signing.settings.listen.path));
    CHECK(signing.service->listeners().empty());
}

TEST_CASE("a name that was deleted is made again") {
    Signing signing;
    const std::string path = signing.settings.listen.path;
    settle(signing.loop);
    std::filesystem::remove(path);
    SUBCASE("at once") {
        CHECK(run_until(signing.loop, [&] { return std::filesystem::exists(path); }));
    }
    SUBCASE("when the configuration is read") {
        signing.service->apply({signing.settings});
        CHECK(std::filesystem::exists(path));
    }
    CHECK(signing.service->listeners()[0].problem.empty());
    CHECK(signing.status(signing.ask("GET", "/healthz")) == 200);
    signing.service->apply({});
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE(
    "who is connected when the name is deleted is answered, also after the listener has gone") {
    Signing signing;
    signing.agent.is_silent = true;
    const std::string path = signing.settings.listen.path;
    FarEnd client(path);
    client.send("POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nm");
    REQUIRE(run_until(signing.loop, [&] { return signing.agent.requests.size() == 1; }));
    std::filesystem::remove(path);
    REQUIRE(run_until(signing.loop, [&] { return std::filesystem::exists(path); }));
    SUBCASE("it stays") {}
    SUBCASE("it goes") {
        {
            const FarEnd idle(path); // whose end has the server let go what it can
            settle(signing.loop);
            signing.service->apply({});
        }
        settle(signing.loop);
        signing.service->apply({}); // and the service
    }
    signing.agent.hang_up_on_all();
    CHECK(run_until(signing.loop, [&] { return client.received().starts_with("HTTP/1.1 503"); }));
}

TEST_CASE("a name in whose place something else is put is closed until that goes") {
    Signing signing;
    const std::string path = signing.settings.listen.path;
    settle(signing.loop);
    std::filesystem::remove(path);
    signing.temp.write("s", "in the way");
    REQUIRE(
        run_until(signing.loop, [&] { return !signing.service->listeners()[0].problem.empty(); }));
    CHECK(signing.temp.read("s") == "in the way");
    std::filesystem::remove(path);
    CHECK(run_until(signing.loop, [&] { return signing.service->listeners()[0].problem.empty(); }));
    CHECK(signing.status(signing.ask("GET", "/healthz")) == 200);
}

TEST_CASE("a name that is not its own is left alone") {
    Signing signing;
    std::filesystem::remove(signing.settings.listen.path);
    signing.temp.write("s", "somebody else's");
    signing.service.reset();
    CHECK(signing.temp.read("s") == "somebody else's");
}

TEST_CASE("a listener that cannot be opened says why, and is opened later") {
    Signing signing;
    signing.service->apply({});
    signing.temp.write("s", "in the way");
    signing.service->apply({signing.settings});
    CHECK(signing.service->listeners()[0].problem.find("no socket of yours") != std::string::npos);
    std::filesystem::remove(signing.settings.listen.path);
    signing.service->apply({signing.settings});
    CHECK(signing.service->listeners()[0].problem.empty());
    CHECK(signing.status(signing.ask("GET", "/healthz")) == 200);
}

TEST_CASE("a successor goes on with the sockets, and what is owed is answered") {
    Signing signing;
    signing.agent.is_silent = true;
    FarEnd client(signing.settings.listen.path);
    client.send("POST /sign?key=" + fingerprint(make_blob('a')) +
                " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nm");
    REQUIRE(run_until(signing.loop, [&] { return signing.agent.requests.size() == 1; }));

    SigningService successor(
        signing.loop, [&] { return dial(signing.agent.path()); }, [&] { return signing.counts; });
    signing.service->hand_over([&](const std::string& address, int fd) {
        CHECK(address == to_text(signing.settings.listen));
        successor.adopt(address, UniqueFd(::dup(fd)));
    });
    successor.apply({signing.settings});
    CHECK(successor.listeners()[0].problem.empty());
    CHECK(signing.status(signing.ask("GET", "/healthz")) == 200);

    signing.agent.is_silent = false;
    signing.answer_usually();
    signing.agent.answer_now(signing.agent.requests[0]);
    CHECK(run_until(signing.loop, [&] { return client.at_end(); }));
    CHECK(signing.status(client.take()) == 200);
    signing.service.reset();
    CHECK(std::filesystem::exists(signing.settings.listen.path));
}

TEST_CASE("a successor gives a socket that it goes on with the permissions of its own settings") {
    Signing signing;
    const std::string path = signing.settings.listen.path;
    SigningService successor(
        signing.loop, [&] { return dial(signing.agent.path()); }, [&] { return signing.counts; });
    signing.service->hand_over(
        [&](const std::string& address, int fd) { successor.adopt(address, UniqueFd(::dup(fd))); });
    SUBCASE("the socket is there") {
        const auto inode = [&] {
            struct stat status {};
            REQUIRE(::lstat(path.c_str(), &status) == 0);
            return status.st_ino;
        };
        const ino_t before = inode();
        signing.settings.access.allow_uids = {65533};
        successor.apply({signing.settings});
        CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms(0666));
        CHECK(inode() == before);
    }
    SUBCASE("its name was deleted") {
        std::filesystem::remove(path);
        successor.apply({signing.settings});
        CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms(0600));
    }
    CHECK(signing.status(signing.ask("GET", "/healthz")) == 200);
}

TEST_CASE("what takes no body does not wait for one") {
    Signing signing;
    signing.answer_usually();
    for (const char* const target : {"/healthz", "/metrics", "/publickey"}) {
        FarEnd client(signing.settings.listen.path);
        client.send(std::string("GET ") + target +
                    " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        CHECK(run_until(signing.loop, [&] { return client.at_end(); }));
        CHECK(signing.status(client.take()) == 413);
    }
}

TEST_CASE("an agent that hangs does not take all connections of a listener") {
    Signing signing;
    signing.agent.is_silent = true;
    std::vector<FarEnd> clients;
    for (std::size_t i = 1; i <= 128; ++i) {
        clients.emplace_back(signing.settings.listen.path);
        clients.back().send("POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nm");
        REQUIRE(run_until(signing.loop, [&] { return signing.agent.requests.size() == i; }));
    }
    FarEnd further(signing.settings.listen.path);
    further.send("POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nm");
    CHECK(run_until(signing.loop, [&] { return !further.received().empty(); }));
    CHECK(signing.status(further.take()) == 503);
    CHECK(signing.status(signing.ask("GET", "/healthz")) == 200);
    clients.pop_back();
    REQUIRE(run_until(signing.loop, [&] { return signing.agent.open_connections() == 127; }));
    FarEnd next(signing.settings.listen.path);
    next.send("POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nm");
    CHECK(run_until(signing.loop, [&] { return signing.agent.requests.size() == 129; }));
}

TEST_CASE("who was connected before the name was deleted is answered after a hand-over, too") {
    Signing signing;
    signing.agent.is_silent = true;
    const std::string path = signing.settings.listen.path;
    FarEnd client(path);
    client.send("POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nm");
    REQUIRE(run_until(signing.loop, [&] { return signing.agent.requests.size() == 1; }));
    std::filesystem::remove(path);
    signing.temp.write("s", "in the way");
    REQUIRE(
        run_until(signing.loop, [&] { return !signing.service->listeners()[0].problem.empty(); }));
    SUBCASE("before it is handed over") {}
    SUBCASE("it is handed over") {
        signing.service->hand_over([](const std::string&, int) {});
    }
    signing.agent.hang_up_on_all();
    CHECK(run_until(signing.loop, [&] { return client.received().starts_with("HTTP/1.1 503"); }));
}

TEST_CASE("who leaves after a hand-over in which its listener was closed is forgotten") {
    Signing signing;
    signing.agent.is_silent = true;
    const std::string path = signing.settings.listen.path;
    {
        FarEnd client(path);
        client.send("POST /sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nm");
        REQUIRE(run_until(signing.loop, [&] { return signing.agent.requests.size() == 1; }));
        std::filesystem::remove(path);
        signing.temp.write("s", "in the way");
        REQUIRE(run_until(signing.loop,
                          [&] { return !signing.service->listeners()[0].problem.empty(); }));
        signing.service->hand_over([](const std::string&, int) {});
    }
    CHECK(run_until(signing.loop, [&] { return signing.service->connections() == 0; }));
}
