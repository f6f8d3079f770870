#include "supervisor/proxy/proxy.hpp"

#include "supervisor/base/log.hpp"
#include "tests/support/stranger.hpp"
#include "tests/unit/proxy/proxied.hpp"

#include <sys/resource.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

ProxySettings with_clients(std::size_t most) {
    ProxySettings settings = Proxied::slow_proxy;
    settings.max_clients = most;
    return settings;
}

/// A limit of descriptors for as long as this lives.
class DescriptorLimit {
  public:
    explicit DescriptorLimit(rlim_t limit) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit now{limit, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &now);
    }
    DescriptorLimit(const DescriptorLimit&) = delete;
    DescriptorLimit& operator=(const DescriptorLimit&) = delete;
    ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

/// What the kernel has counted of this process's turns on a processor.
double seconds_of_work() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

} // namespace

TEST_CASE("a hundred clients at once are served, whatever others do or leave undone") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    std::vector<FarEnd> bad;
    for (int i = 0; i < 100; ++i) {
        bad.push_back(proxied.connect());
        if (i % 3 == 1)
            bad.back().send(std::string("\0\0\1\0\13half", 9));
        if (i % 3 == 2)
            bad.back().send(WireWriter().uint32(longest_message).bytes() + "\33");
    }
    std::vector<FarEnd> good;
    for (int i = 0; i < 100; ++i) {
        good.push_back(proxied.connect());
        good.back().send(request_identities_frame());
    }
    for (FarEnd& client : good)
        CHECK(proxied.receive(client) == list_of(agent));
    CHECK(proxied.proxy->clients() == 200);
    good.clear();
    bad.clear();
    CHECK(run_until(proxied.loop, [&] { return proxied.proxy->clients() == 0; }));
}

TEST_CASE("a client that waits for its signature keeps nobody else waiting") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    agent.answer = [&](const FakeAgent::Request& request) -> std::optional<std::string> {
        if (kind_of(Message(request.frame)) == RequestKind::sign)
            return std::nullopt;
        return list_of(agent);
    };
    FarEnd waiting = proxied.connect();
    waiting.send(sign_request_for(make_blob('a')));
    REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 1; }));
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(agent));
    CHECK(waiting.received().empty());
}

TEST_CASE("clients beyond the limit wait until one has left") {
    Proxied proxied(with_clients(2));
    FakeAgent& agent = proxied.add_live('a');
    FarEnd first = proxied.connect();
    FarEnd second = proxied.connect();
    FarEnd third = proxied.connect();
    third.send(request_identities_frame());
    CHECK(proxied.ask(first, request_identities_frame()) == list_of(agent));
    CHECK(proxied.ask(second, request_identities_frame()) == list_of(agent));
    settle(proxied.loop);
    CHECK(proxied.proxy->clients() == 2);
    CHECK(third.received().empty());
    SUBCASE("one leaves") {
        first.close();
    }
    SUBCASE("the limit is raised") {
        proxied.proxy->apply(with_clients(3));
    }
    CHECK(proxied.receive(third) == list_of(agent));
}

TEST_CASE("where descriptors run out accepting pauses without work, and resumes") {
    ProxySettings settings = Proxied::slow_proxy;
    settings.grace = 0ms;
    Proxied proxied(settings);
    std::vector<FarEnd> clients;
    std::string answer;
    double work = 0;
    std::size_t connected = 0;
    std::size_t served = 0;
    // The sanitizer needs a descriptor to judge what it sees for the first time: it sees the log
    // now, and no claim of the test before there are descriptors again.
    log::info("descriptors are about to run out");
    {
        const DescriptorLimit limit(120);
        do
            clients.push_back(proxied.connect());
        while (clients.back().is_open());
        clients.resize(clients.size() - 20);
        settle(proxied.loop);
        connected = clients.size();
        served = proxied.proxy->clients();

        const double before = seconds_of_work();
        Watch pause = proxied.loop.timer([&] { proxied.loop.stop(); });
        pause.start(300ms);
        [[maybe_unused]] const Result<void> ran = proxied.loop.run();
        work = seconds_of_work() - before;

        FarEnd& last = clients.back();
        last.send(request_identities_frame());
        for (std::size_t i = 0; i < 45; ++i)
            clients[i].close();
        [[maybe_unused]] const bool has_come =
            run_until(proxied.loop, [&] { return !last.received().empty(); });
        answer = last.take();
    }
    CHECK(served > 10);
    CHECK(served < connected);
    CHECK(work < 0.15);
    CHECK(answer == failure_frame());
}

TEST_CASE("at the end every open request gets its failure, and every client its end") {
    Proxied proxied;
    FarEnd seeking = proxied.connect();
    seeking.send(request_identities_frame());
    settle(proxied.loop);
    FakeAgent& agent = proxied.make_agent('a');
    FarEnd idle = proxied.connect();
    FarEnd asking = proxied.connect();
    SUBCASE("with an agent") {
        proxied.add(agent);
        CHECK(proxied.receive(seeking) == list_of(agent));
        agent.is_silent = true;
        asking.send(request_identities_frame());
        REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 2; }));
        proxied.proxy->shut_down();
        CHECK(seeking.take().empty());
    }
    SUBCASE("without one") {
        asking.send(sign_request_for(make_blob('a')));
        settle(proxied.loop);
        proxied.proxy->shut_down();
        CHECK(seeking.take() == failure_frame());
    }
    CHECK(asking.take() == failure_frame());
    CHECK(idle.take().empty());
    for (FarEnd* const client : {&seeking, &asking, &idle})
        CHECK(client->at_end());
}

TEST_CASE("after the end nobody is accepted any more") {
    Proxied proxied;
    FarEnd client = proxied.connect();
    settle(proxied.loop);
    proxied.proxy->shut_down();
    FarEnd late = proxied.connect();
    settle(proxied.loop);
    CHECK(proxied.proxy->clients() == 0);
    CHECK(client.at_end());
    proxied.proxy->apply(Proxied::slow_proxy);
    settle(proxied.loop);
    CHECK(proxied.proxy->clients() == 0);
}

TEST_CASE("a proxy may be destroyed with clients in every state") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FarEnd idle = proxied.connect();
    FarEnd kept = proxied.connect();
    proxied.ask(kept, request_identities_frame());
    FarEnd signing = proxied.connect();
    agent.is_silent = true;
    signing.send(sign_request_for(make_blob('a')));
    REQUIRE(run_until(proxied.loop, [&] { return agent.client_requests().size() == 2; }));
    proxied.proxy.reset();
    CHECK(proxied.ends(idle));
    CHECK(proxied.ends(kept));
    CHECK(proxied.ends(signing));
}

TEST_CASE("a process of another user is not served, even where it can connect" *
          doctest::skip(::geteuid() != 0)) {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    CHECK(reception_of_stranger(proxied.loop, proxied.temp.path(), proxied.directory.path(),
                                proxied.path, request_identities_frame()) == Reception::refused);
    CHECK(agent.client_requests().empty());
    CHECK(proxied.proxy->clients() == 0);
}

TEST_CASE("an agent that leads back to us is found out before it is used") {
    Proxied proxied;
    FakeAgent& agent = proxied.add_live('a');
    FakeAgent& loop = proxied.make_agent('l');
    // What is asked at the one comes to us as a client's request, and the answer goes back.
    FarEnd client = proxied.connect();
    std::size_t passed = 0;
    loop.answer = [&](const FakeAgent::Request& request) -> std::optional<std::string> {
        client.send(request.frame);
        ++passed;
        return std::string();
    };
    proxied.add(loop);
    const auto pass_answer = [&] {
        if (const std::string answer = client.take(); !answer.empty())
            loop.send(0, answer);
    };
    REQUIRE(run_until(proxied.loop, [&] {
        pass_answer();
        return proxied.pool.find(loop.path()) != nullptr &&
               proxied.pool.find(loop.path())->state() == AgentState::dead;
    }));
    CHECK(passed == 2);
    const std::string reason = proxied.pool.find(loop.path())->reason();
    CHECK(reason.find("leads back") != std::string::npos);
    // There need not be an ssh.
    CHECK(reason.find("or another supervisor") != std::string::npos);
    CHECK(proxied.pool.selected()->path() == agent.path());
    CHECK(proxied.proxy->statistics().failed == 0);
}

TEST_CASE("an agent that only happens to be asked while a client asks is used") {
    Proxied proxied;
    FakeAgent& old_one = proxied.add_live('a');
    FakeAgent& new_one = proxied.make_agent('b');
    new_one.is_silent = true;
    proxied.add(new_one);
    REQUIRE(run_until(proxied.loop, [&] { return !new_one.requests.empty(); }));
    FarEnd client = proxied.connect();
    CHECK(proxied.ask(client, request_identities_frame()) == list_of(old_one));
    new_one.is_silent = false;
    new_one.answer_now(new_one.requests.front());
    CHECK(
        run_until(proxied.loop, [&] { return proxied.pool.selected()->path() == new_one.path(); }));
    CHECK(new_one.requests.size() == 2);
}
