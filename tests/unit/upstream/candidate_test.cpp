#include "supervisor/upstream/candidate.hpp"

#include "tests/support/fake_agent.hpp"
#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/upstream/usual.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

struct Watched {
    TempDir temp;
    EventLoop loop = make_loop();
    FakeAgent agent{loop, temp.entry("agent.1"), {ann}};
    std::unique_ptr<Candidate> candidate;
    int news = 0;
    std::vector<AgentState> states; // as they were told

    void begin(const ProbeSettings& settings = slow, Origin origin = Origin::forwarded) {
        candidate =
            std::make_unique<Candidate>(loop, settings, default_most_upstreams,
                                        std::move(*check_socket(agent.path())), origin, [this] {
                                            ++news;
                                            states.push_back(candidate->state());
                                        });
        candidate->start();
    }
    bool becomes(AgentState state) {
        return run_until(loop, [&] { return candidate->state() == state; });
    }
    /// The name seems to have been there for long.
    void make_old() const {
        const timespec long_ago[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
        REQUIRE(::utimensat(AT_FDCWD, agent.path().c_str(), long_ago, 0) == 0);
    }
};

} // namespace

TEST_CASE("an agent is asked for its identities and lives when it has answered") {
    Watched watched;
    watched.begin();
    CHECK(watched.candidate->state() == AgentState::fresh);
    CHECK(watched.candidate->is_asked());
    REQUIRE(watched.becomes(AgentState::live));
    CHECK(watched.news == 1);
    CHECK(!watched.candidate->is_asked());
    REQUIRE(watched.candidate->identities().size() == 1);
    CHECK(watched.candidate->identities()[0].comment == "ann@desk");
    CHECK(watched.candidate->offers(ann.blob));
    CHECK(!watched.candidate->offers(make_blob('b')));
    CHECK(watched.candidate->liveness().round_trip().has_value());
    CHECK(watched.candidate->reason().empty());
    CHECK(watched.candidate->pid() == ::getpid());
    CHECK(watched.candidate->label() == "unit-upstream (pid " + std::to_string(::getpid()) + ")");
    CHECK(!watched.candidate->login());
    CHECK(watched.agent.requests.size() == 1);
    CHECK(watched.agent.accepted == 1);
}

TEST_CASE("a live agent is asked whether it lives every interval, on the same connection") {
    Watched watched;
    watched.begin({.interval = 5ms, .timeout = 1h, .hung_after = 1h});
    REQUIRE(run_until(watched.loop, [&] { return watched.agent.requests.size() >= 4; }));
    CHECK(watched.agent.accepted == 1);
    CHECK(watched.agent.requests[0].frame == request_identities_frame());
    for (std::size_t i = 1; i < 4; ++i)
        CHECK(watched.agent.requests[i].frame == query_frame());
    CHECK(watched.candidate->identities().size() == 1);
}

TEST_CASE("an agent may answer the query in any way") {
    for (const std::string& answer :
         {make_frame(MessageType::failure), make_frame(MessageType::success),
          make_frame(MessageType::extension_failure),
          make_frame(MessageType::extension_response, WireWriter().string("query").bytes())}) {
        Watched watched;
        watched.begin();
        REQUIRE(watched.becomes(AgentState::live));
        watched.agent.answer = [&](const FakeAgent::Request&) { return answer; };
        watched.candidate->ask();
        CHECK(watched.candidate->is_asked());
        REQUIRE(run_until(watched.loop, [&] { return !watched.candidate->is_asked(); }));
        CHECK(watched.candidate->state() == AgentState::live);
        CHECK(watched.candidate->identities().size() == 1);
    }
}

TEST_CASE("an agent that says nothing is not live, and hung in the end") {
    Watched watched;
    watched.agent.is_silent = true;
    watched.begin({.interval = 1h, .timeout = 10ms, .hung_after = 30ms});
    REQUIRE(watched.becomes(AgentState::hung));
    CHECK(watched.news == 1);
    watched.agent.answer_now(watched.agent.requests.at(0));
    REQUIRE(watched.becomes(AgentState::live));
    CHECK(watched.agent.accepted == 1);
}

TEST_CASE("an agent that falls silent is late, then hung, is not asked twice, and comes back") {
    Watched watched;
    watched.begin({.interval = 5ms, .timeout = 20ms, .hung_after = 60ms});
    REQUIRE(watched.becomes(AgentState::live));
    watched.agent.is_silent = true;
    REQUIRE(watched.becomes(AgentState::late));
    CHECK(watched.candidate->identities().size() == 1);
    REQUIRE(watched.becomes(AgentState::hung));
    const std::size_t asked = watched.agent.requests.size();
    watched.candidate->ask();
    watched.candidate->refresh();
    settle(watched.loop);
    CHECK(watched.agent.requests.size() == asked);
    CHECK(watched.agent.accepted == 1);

    watched.agent.is_silent = false;
    watched.agent.answer_now(watched.agent.requests.back());
    REQUIRE(watched.becomes(AgentState::live));
    CHECK(watched.candidate->liveness().round_trip() >= 60ms);
}

TEST_CASE("while a sign request is out there an agent becomes late, never hung") {
    Watched watched;
    watched.begin({.interval = 1ms, .timeout = 5ms, .hung_after = 10ms});
    REQUIRE(watched.becomes(AgentState::live));
    watched.agent.is_silent = true;
    watched.candidate->sign_began();
    REQUIRE(watched.becomes(AgentState::late));
    CHECK(!watched.candidate->liveness().deadline());
    watched.candidate->sign_ended();
    REQUIRE(watched.becomes(AgentState::hung));
}

TEST_CASE("the end of the sentinel is instant news of death") {
    Watched watched;
    SUBCASE("at logout, when the name goes too") {
        watched.begin();
        REQUIRE(watched.becomes(AgentState::live));
        watched.agent.log_out();
    }
    SUBCASE("when the process is killed, and the name stays") {
        watched.make_old();
        watched.begin();
        REQUIRE(watched.becomes(AgentState::live));
        watched.agent.die();
    }
    SUBCASE("however short its life was") {
        watched.begin();
        REQUIRE(watched.becomes(AgentState::live));
        watched.agent.die();
    }
    const TimePoint before = Clock::now();
    REQUIRE(watched.becomes(AgentState::dead));
    CHECK(Clock::now() - before < 1s);
    CHECK(watched.news >= 2);
    CHECK(watched.candidate->is_gone());
    CHECK(watched.candidate->identities().empty());
    CHECK(!watched.candidate->reason().empty());
}

TEST_CASE("an agent that closes an idle connection but listens on stays live") {
    Watched watched;
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    watched.agent.hang_up_on_all();
    REQUIRE(run_until(watched.loop, [&] { return watched.agent.requests.size() == 2; }));
    REQUIRE(run_until(watched.loop, [&] { return !watched.candidate->is_asked(); }));
    CHECK(watched.candidate->state() == AgentState::live);
    CHECK(watched.agent.accepted == 2);
}

TEST_CASE("a path that somebody registered is watched on after death, for as long as it exists") {
    Watched watched;
    watched.make_old();
    watched.begin({.interval = 10ms, .timeout = 1h, .hung_after = 1h}, Origin::registered);
    REQUIRE(watched.becomes(AgentState::live));
    watched.agent.die();
    REQUIRE(watched.becomes(AgentState::dead));
    CHECK(!watched.candidate->is_gone());
    SUBCASE("and used again when somebody listens there") {
        watched.agent.listen();
        REQUIRE(watched.becomes(AgentState::live));
        CHECK(watched.candidate->reason().empty());
    }
    SUBCASE("and given up when the name has gone") {
        ::unlink(watched.agent.path().c_str());
        REQUIRE(run_until(watched.loop, [&] { return watched.candidate->is_gone(); }));
    }
}

TEST_CASE("an agent that hangs up after each answer is live, and not dialled without end") {
    Watched watched;
    watched.agent.hangs_up_after_answer = true;
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    REQUIRE(run_until(watched.loop, [&] { return watched.agent.accepted == 4; }));
    for (int i = 0; i < 20; ++i)
        settle(watched.loop);
    CHECK(watched.agent.accepted == 4);
    CHECK(watched.candidate->state() == AgentState::live);
    CHECK(watched.candidate->identities().size() == 1);
}

TEST_CASE("an agent that hangs up after each answer stays live over the intervals") {
    Watched watched;
    watched.agent.hangs_up_after_answer = true;
    watched.begin({.interval = 200ms, .timeout = 100ms, .hung_after = 150ms});
    REQUIRE(watched.becomes(AgentState::live));
    SUBCASE("by itself") {}
    SUBCASE("and when its keys are asked for") {
        REQUIRE(run_until(watched.loop, [&] { return watched.agent.accepted == 4; }));
        settle(watched.loop);
        watched.candidate->refresh();
    }
    REQUIRE(run_until(watched.loop, [&] { return watched.agent.accepted >= 9; }));
    for (const AgentState state : watched.states)
        CHECK(state == AgentState::live);
}

TEST_CASE("an agent that hangs up on extensions is asked for its identities instead") {
    Watched watched;
    watched.agent.hangs_up_on_extensions = true;
    watched.begin({.interval = 5ms, .timeout = 1h, .hung_after = 1h});
    REQUIRE(run_until(watched.loop, [&] { return watched.agent.requests.size() >= 6; }));
    CHECK(watched.candidate->state() == AgentState::live);
    CHECK(watched.agent.count(query_frame()) == 1);
    CHECK(watched.agent.accepted == 2);
}

TEST_CASE("an agent that does not speak the protocol is dead, and says why") {
    Watched watched;
    std::string reason;
    SUBCASE("garbage") {
        watched.agent.answer = [](const auto&) {
            return std::string("HTTP/1.1 400 Bad Request\r\n");
        };
        reason = "it does not speak the agent protocol";
    }
    SUBCASE("a message of no bytes") {
        watched.agent.answer = [](const auto&) { return std::string(4, '\0'); };
        reason = "it does not speak the agent protocol";
    }
    SUBCASE("a malformed list") {
        watched.agent.answer = [](const auto&) {
            return make_frame(MessageType::identities_answer, "xxxxxxxx");
        };
        reason = "its list of identities is malformed";
    }
    SUBCASE("another answer than a list") {
        watched.agent.answer = [](const auto&) { return make_frame(MessageType::success); };
        reason = "its list of identities is malformed";
    }
    SUBCASE("connections that it closes at once") {
        watched.agent.hangs_up_at_once = true;
        reason = "it closes connections without an answer";
    }
    SUBCASE("connections that it closes when it is asked") {
        watched.agent.hangs_up_on_requests = true;
        reason = "it closes connections without an answer";
    }
    SUBCASE("half an answer") {
        watched.agent.is_silent = true;
        reason = "it closes connections without an answer";
    }
    watched.begin();
    if (watched.agent.is_silent) {
        REQUIRE(run_until(watched.loop, [&] { return !watched.agent.requests.empty(); }));
        watched.agent.send(0, std::string("\0\0\0\5\14", 5));
        watched.agent.hang_up(0);
    }
    REQUIRE(watched.becomes(AgentState::dead));
    CHECK(watched.candidate->reason() == reason);
    CHECK(!watched.candidate->is_gone());
    CHECK(watched.candidate->identities().empty());
    CHECK(watched.agent.accepted == 1);
}

TEST_CASE("an answer that nobody asked for is the end of trust") {
    Watched watched;
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    watched.agent.send(0, make_frame(MessageType::success));
    REQUIRE(watched.becomes(AgentState::dead));
    CHECK(watched.candidate->reason() == "it sent an answer that nobody asked for");
    CHECK(run_until(watched.loop, [&] { return watched.agent.ended == 1; }));
}

TEST_CASE("two answers to one question are one too many") {
    Watched watched;
    watched.agent.answer = [](const auto&) { return identities_answer({ann}) + failure_frame(); };
    watched.begin();
    REQUIRE(watched.becomes(AgentState::dead));
    CHECK(watched.agent.accepted == 1);
}

TEST_CASE("an agent that misbehaved is asked again at the next interval") {
    Watched watched;
    watched.agent.hangs_up_at_once = true;
    watched.begin({.interval = 20ms, .timeout = 1h, .hung_after = 1h});
    REQUIRE(watched.becomes(AgentState::dead));
    watched.agent.hangs_up_at_once = false;
    REQUIRE(watched.becomes(AgentState::live));
    CHECK(watched.candidate->reason().empty());
}

TEST_CASE("an agent that is locked lives, without keys") {
    Watched watched;
    watched.agent.answer = [](const auto&) { return failure_frame(); };
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    CHECK(watched.candidate->identities().empty());
}

TEST_CASE("a refresh asks for the identities again") {
    Watched watched;
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    watched.agent.keys.push_back({make_blob('b'), "b"});
    SUBCASE("at once") {
        watched.candidate->refresh();
    }
    SUBCASE("after the question that is open") {
        watched.candidate->ask();
        watched.candidate->refresh();
        watched.candidate->refresh();
    }
    REQUIRE(run_until(watched.loop, [&] { return watched.candidate->identities().size() == 2; }));
    settle(watched.loop);
    CHECK(watched.agent.count(request_identities_frame()) == 2);
    CHECK(watched.agent.accepted == 1);
}

TEST_CASE("an agent whose backlog is full is silent, and asked when there is room") {
    Watched watched;
    watched.agent.stop_listening();
    watched.agent.listen(0);
    watched.agent.stop_accepting();
    std::vector<FarEnd> others;
    do
        others.emplace_back(watched.agent.path());
    while (others.back().is_open());
    watched.begin({.interval = 1h, .timeout = 5ms, .hung_after = 20ms});
    CHECK(watched.candidate->state() == AgentState::fresh);
    REQUIRE(watched.becomes(AgentState::hung));
    CHECK(!watched.candidate->is_gone());
    watched.agent.accept_again();
    REQUIRE(watched.becomes(AgentState::live));
}

TEST_CASE("a socket that was just bound may listen a moment later") {
    Watched watched;
    watched.agent.stop_listening();
    ::unlink(watched.agent.path().c_str());
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    watched.agent.path().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    watched.begin();
    CHECK(watched.candidate->state() == AgentState::dead);
    settle(watched.loop);
    CHECK(!watched.candidate->is_gone());
    REQUIRE(::listen(listener.get(), 1) == 0);
    FarEnd far;
    REQUIRE(run_until(watched.loop, [&] {
        UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd)
            far = FarEnd(std::move(fd));
        return far.is_open();
    }));
    far.send(identities_answer({ann}));
    REQUIRE(watched.becomes(AgentState::live));
}

TEST_CASE("a socket that has been there for long without a listener is gone at once") {
    Watched watched;
    watched.agent.stop_listening();
    watched.make_old();
    watched.begin();
    CHECK(watched.candidate->state() == AgentState::dead);
    CHECK(watched.candidate->is_gone());
    CHECK(watched.candidate->reason() ==
          "cannot connect to '" + watched.agent.path() + "': Connection refused");
}

TEST_CASE("a client's connection is one of its own") {
    Watched watched;
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    Result<Candidate::Upstream> upstream = watched.candidate->connect();
    REQUIRE(upstream);
    CHECK(!upstream->was_spare);
    FarEnd client(std::move(upstream->fd));
    client.send(request_identities_frame());
    REQUIRE(run_until(watched.loop, [&] { return !client.received().empty(); }));
    CHECK(watched.agent.accepted == 2);
    CHECK(watched.agent.requests.back().connection == 1);
}

TEST_CASE("a connection that is refused is news") {
    Watched watched;
    watched.make_old();
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    watched.agent.stop_listening();
    const Result<Candidate::Upstream> upstream = watched.candidate->connect();
    REQUIRE(!upstream);
    CHECK(upstream.error().code == ECONNREFUSED);
    CHECK(watched.candidate->state() == AgentState::dead);
    CHECK(watched.news == 2);
}

TEST_CASE("a new interval counts from now on") {
    Watched watched;
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    watched.candidate->apply({.interval = 1ms, .timeout = 1h, .hung_after = 1h});
    REQUIRE(run_until(watched.loop, [&] { return watched.agent.requests.size() >= 3; }));
}

TEST_CASE("origins have the names that status shows") {
    CHECK(name_of(Origin::forwarded) == "forwarded");
    CHECK(name_of(Origin::configured) == "configured");
    CHECK(name_of(Origin::registered) == "registered");
}

TEST_CASE(
    "an agent that is started anew behind a socket that goes on listening is asked for its keys") {
    Watched watched;
    watched.begin(slow, Origin::configured);
    REQUIRE(watched.becomes(AgentState::live));
    settle(watched.loop);
    watched.agent.keys.clear();
    watched.agent.hang_up_on_all();
    REQUIRE(run_until(watched.loop, [&] {
        return watched.agent.accepted == 2 && !watched.candidate->is_asked();
    }));
    CHECK(watched.candidate->state() == AgentState::live);
    CHECK(watched.candidate->identities().empty());
}

TEST_CASE("keys that were asked for on a connection that ended are asked for on the next") {
    Watched watched;
    watched.begin(slow, Origin::configured);
    REQUIRE(watched.becomes(AgentState::live));
    settle(watched.loop);
    watched.agent.keys.push_back({make_blob('b'), "bob"});
    watched.agent.is_silent = true;
    watched.candidate->refresh();
    settle(watched.loop);
    watched.agent.is_silent = false;
    watched.agent.hang_up_on_all();
    REQUIRE(run_until(watched.loop, [&] {
        return watched.agent.accepted == 2 && !watched.candidate->is_asked();
    }));
    CHECK(watched.candidate->identities().size() == 2);
}

TEST_CASE("what an agent listed before it was locked is not what it lists") {
    Watched watched;
    watched.begin();
    REQUIRE(watched.becomes(AgentState::live));
    const std::string list = identities_answer({ann});
    CHECK(watched.candidate->has_listed(Message(list)));
    watched.agent.answer = [](const FakeAgent::Request&) { return failure_frame(); };
    watched.candidate->refresh();
    REQUIRE(run_until(watched.loop, [&] { return watched.candidate->identities().empty(); }));
    CHECK(!watched.candidate->has_listed(Message(list)));
}
