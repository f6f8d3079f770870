#include "supervisor/upstream/remote_agent.hpp"

#include "supervisor/base/unix_socket.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/far_port.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/upstream/usual.hpp"

#include <doctest/doctest.h>

using namespace livesock;

namespace {

struct Remote {
    TempDir temp;
    EventLoop loop = make_loop();
    FakeAgent fake{loop, temp.entry("agent"), {ann}};
    FarPort port;
    RemoteAgent agent;

    explicit Remote(const std::string& theirs = {}, const std::string& ours = {})
        : port(loop, fake, theirs)
        , agent(loop, port.endpoint(), ours) {}

    FarEnd connect() {
        Result<AgentConnection> connection = agent.connect();
        REQUIRE(connection);
        CHECK(connection->pid == 0);
        return FarEnd(std::move(connection->fd));
    }
    bool answers(FarEnd& client) {
        client.send(request_identities_frame());
        const std::string expected = identities_answer(fake.keys);
        std::string got;
        return run_until(loop,
                         [&] {
                             got += client.take();
                             return got == expected || client.at_end();
                         }) &&
               got == expected;
    }
    bool ends(FarEnd& client) {
        return run_until(loop, [&] { return client.at_end() && agent.connections() == 0; });
    }
    bool says(const std::string& words) const {
        return agent.trouble().find(words) != std::string::npos;
    }
};

} // namespace

TEST_CASE("a remote agent answers as if it were here") {
    Remote remote;
    FarEnd one = remote.connect();
    FarEnd two = remote.connect();
    CHECK(remote.answers(one));
    CHECK(remote.answers(two));
    CHECK(remote.agent.trouble().empty());
    one.close();
    CHECK(run_until(remote.loop, [&] { return remote.agent.connections() == 1; }));
    CHECK(run_until(remote.loop, [&] { return remote.fake.ended == 1; }));
    CHECK(remote.answers(two));
}

TEST_CASE("with a token both ends show it before the first request") {
    Remote remote(token, token);
    FarEnd client = remote.connect();
    CHECK(remote.answers(client));
}

TEST_CASE("without the right token there is no answer, and what is wrong is told") {
    SUBCASE("it is another one") {
        Remote remote(token, std::string(32, 'u'));
        FarEnd client = remote.connect();
        CHECK(!remote.answers(client));
        CHECK(remote.ends(client));
        CHECK(remote.says("compare token_file"));
        CHECK(remote.fake.requests.empty());
    }
    SUBCASE("only the listener has one") {
        Remote remote(token, {});
        FarEnd client = remote.connect();
        CHECK(!remote.answers(client));
        CHECK(remote.ends(client));
        CHECK(remote.says("does it want a token_file?"));
    }
    SUBCASE("only we have one") {
        Remote remote({}, token);
        remote.port.is_mute = true;
        FarEnd client = remote.connect();
        client.send(request_identities_frame());
        CHECK(remote.ends(client));
        CHECK(remote.says("has it a token_file?"));
    }
}

TEST_CASE("where nobody listens the connection ends, and what to do is told") {
    Remote remote;
    remote.port.close();
    const Result<AgentConnection> connection = remote.agent.connect();
    if (connection)
        CHECK(run_until(remote.loop, [&] { return remote.agent.connections() == 0; }));
    CHECK(remote.says("Connection refused"));
    CHECK(remote.says("[[listen]]"));
    remote.port.open();
    FarEnd client = remote.connect();
    CHECK(remote.answers(client));
    CHECK(remote.agent.trouble().empty());
}

TEST_CASE("the end of the far agent is the end of the connection") {
    Remote remote;
    FarEnd client = remote.connect();
    CHECK(remote.answers(client));
    remote.fake.hang_up_on_all();
    CHECK(remote.ends(client));
    CHECK(remote.agent.trouble().empty());
    SUBCASE("without an answer that is trouble") {
        remote.fake.hangs_up_at_once = true;
        FarEnd another = remote.connect();
        CHECK(remote.ends(another));
        CHECK(remote.says("without an answer"));
    }
}

TEST_CASE("what is not the agent protocol is not passed on") {
    Remote remote;
    FarEnd client = remote.connect();
    CHECK(remote.answers(client));
    SUBCASE("from the far agent") {
        remote.fake.send(0, "SSH-2.0-OpenSSH");
        CHECK(remote.ends(client));
        CHECK(client.take().empty());
        CHECK(remote.says("does not speak the agent protocol"));
    }
    SUBCASE("from the caller") {
        client.send("SSH-2.0-OpenSSH");
        CHECK(remote.ends(client));
        CHECK(remote.fake.requests.size() == 1);
    }
}

TEST_CASE("an answer that ends the connection arrives whole") {
    Remote remote;
    remote.fake.keys.assign(200, {std::string(1000, 'k'), "comment"});
    remote.fake.hangs_up_after_answer = true;
    FarEnd client = remote.connect();
    client.send(request_identities_frame());
    // Nothing is read here until the far end has long gone.
    CHECK(run_until(remote.loop, [&] { return remote.fake.open_connections() == 0; }));
    settle(remote.loop);
    std::string got;
    CHECK(run_until(remote.loop, [&] {
        got += client.take();
        return client.at_end();
    }));
    CHECK(got == identities_answer(remote.fake.keys));
}

TEST_CASE("there is a limit to the connections, of which it is told to try later") {
    Remote remote;
    std::vector<AgentConnection> connections;
    for (std::size_t i = 0; i < most_remote_connections; ++i)
        connections.push_back(std::move(*remote.agent.connect()));
    const Result<AgentConnection> further = remote.agent.connect();
    REQUIRE(!further);
    CHECK(further.error().code == EAGAIN);
    settle(remote.loop);
    connections.clear();
    CHECK(run_until(remote.loop, [&] { return remote.agent.connections() == 0; }));
    CHECK(remote.agent.connect());
}
