#include "tests/unit/http/served.hpp"

using namespace livesock;
using namespace std::chrono_literals;

TEST_CASE("a request is handed over in pieces and answered later") {
    Served served;
    FarEnd client = served.connect();
    const std::string request = post_of("hello");
    client.send(request.substr(0, request.size() - 2));
    settle(served.loop);
    CHECK(served.handler.completed.empty());
    client.send(request.substr(request.size() - 2));
    served.wait_for_completed(1);
    CHECK(served.handler.bodies.begin()->second == "hello");
    settle(served.loop);
    CHECK(client.received().empty());
    served.server->answer(served.handler.completed[0], {.body = "answer\n"});
    CHECK(served.receive(client, "answer\n").starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK_FALSE(client.at_end());
    CHECK(served.handler.lost.empty());
}

TEST_CASE("a connection serves one request after the other, pipelined or not") {
    Served served;
    served.answer_at_once();
    FarEnd client = served.connect();
    client.send(post_of("one") + post_of("two"));
    const std::string both = served.receive(client, "two\n");
    CHECK(both.find("one\n") < both.find("two\n"));
    client.send(post_of("three"));
    served.receive(client, "three\n");
    CHECK(served.server->connections() == 1);
}

TEST_CASE("an option that only begins like close does not end the connection") {
    Served served;
    served.answer_at_once();
    FarEnd client = served.connect();
    client.send(post_of("one", "Connection: closed\r\n") + post_of("two"));
    served.receive(client, "two\n");
}

TEST_CASE("a pipelined request is not looked at before the one in front of it is answered") {
    Served served;
    FarEnd client = served.connect();
    client.send(post_of("one") + post_of("two"));
    served.wait_for_completed(1);
    settle(served.loop);
    CHECK(served.handler.begun.size() == 1);
    served.server->answer(served.handler.completed[0], {});
    served.wait_for_completed(2);
}

TEST_CASE("a connection ends with its answer where the client wants that") {
    Served served;
    served.answer_at_once();
    FarEnd client = served.connect();
    SUBCASE("it says so") {
        client.send(post_of("x", "Connection: close\r\n"));
    }
    SUBCASE("it says so among other things") {
        client.send(post_of("x", "Connection: keep-alive,CLOSE , te\r\n"));
    }
    SUBCASE("it speaks HTTP/1.0") {
        client.send("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
    }
    served.receive(client, "\n\n");
    served.wait_for([&] { return client.at_end(); });
    client.close();
    served.wait_for([&] { return served.server->connections() == 0; });
}

TEST_CASE("a refused head leaves the connection usable only if it had no body") {
    Served served;
    served.handler.refuses = refusal(403, "no");
    FarEnd client = served.connect();
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(served.receive(client, "no\n").starts_with("HTTP/1.1 403 "));
    client.send(post_of("body"));
    CHECK(served.receive(client, "no\n").find("Connection: close") != std::string::npos);
    served.wait_for([&] { return client.at_end(); });
    CHECK(served.handler.answers == std::vector<int>{403, 403});
    CHECK(served.handler.lost.empty());
}

TEST_CASE("a client learns why its body is not taken, though it goes on sending") {
    Served served;
    FarEnd client = served.connect();
    SUBCASE("its length is told") {
        client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n");
    }
    SUBCASE("it comes in chunks") {
        client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "401\r\n" +
                    std::string(0x401, 'x'));
    }
    for (int i = 0; i < 50; ++i) {
        client.send(std::string(100'000, 'x'));
        settle(served.loop);
    }
    CHECK(served.receive(client, "bytes\n").starts_with("HTTP/1.1 413 "));
    served.wait_for([&] { return client.at_end(); });
    CHECK(served.handler.completed.empty());
    CHECK(served.handler.lost.size() == 1);
    for (const auto& [id, body] : served.handler.bodies)
        CHECK(body.size() <= served.handler.max_body);
}

TEST_CASE("a malformed request is answered with a 400, and nothing follows it") {
    Served served;
    FarEnd client = served.connect();
    client.send("nonsense\r\n\r\n" + post_of("x"));
    CHECK(served.receive(client, "malformed\n").starts_with("HTTP/1.1 400 "));
    settle(served.loop);
    CHECK(served.handler.begun.empty());
}

TEST_CASE("who waits to be asked for the body is asked once the head is accepted") {
    Served served;
    FarEnd client = served.connect();
    const std::string request = post_of("hello", "Expect: 100-continue\r\n");
    client.send(std::string_view(request).substr(0, request.size() - 5));
    SUBCASE("accepted") {
        served.receive(client, "100 Continue\r\n\r\n");
        client.send("hello");
        served.wait_for_completed(1);
    }
    SUBCASE("too long") {
        FarEnd other = served.connect();
        served.handler.max_body = 4;
        other.send(std::string_view(request).substr(0, request.size() - 5));
        CHECK(served.receive(other, "bytes\n").starts_with("HTTP/1.1 413 "));
    }
}

TEST_CASE("a client that leaves is told to the handler, once, and its answer goes nowhere") {
    Served served;
    FarEnd client = served.connect();
    client.send(post_of("hello"));
    served.wait_for_completed(1);
    client.close();
    served.wait_for([&] { return served.handler.lost.size() == 1; });
    served.server->answer(served.handler.completed[0], {});
    settle(served.loop);
    CHECK(served.server->connections() == 0);
    CHECK(served.handler.lost.size() == 1);
}

TEST_CASE("a client that leaves in the middle of its body is told too") {
    Served served;
    FarEnd client = served.connect();
    const std::string request = post_of("hello");
    client.send(request.substr(0, request.size() - 2));
    served.wait_for([&] { return served.handler.begun.size() == 1; });
    client.close();
    served.wait_for([&] { return served.handler.lost.size() == 1; });
    CHECK(served.handler.completed.empty());
}

TEST_CASE("a request has a limit as a whole, however it trickles in") {
    HttpLimits limits = Served::patient;
    limits.request = 100ms;
    Served served(limits);
    FarEnd client = served.connect();
    std::string request = post_of(std::string(900, 'x'));
    std::string answer;
    CHECK(run_until(served.loop, [&] {
        client.send(std::string_view(request).substr(0, 1));
        request.erase(0, 1);
        answer += client.take();
        return answer.find("in time\n") != std::string::npos;
    }));
    CHECK(answer.starts_with("HTTP/1.1 408 "));
    CHECK(served.handler.completed.empty());
}

TEST_CASE("who connects and says nothing, or nothing more, is closed") {
    HttpLimits limits = Served::patient;
    limits.request = limits.idle = 20ms;
    Served served(limits);
    served.answer_at_once();
    FarEnd silent = served.connect();
    FarEnd idle = served.connect();
    idle.send(post_of("x"));
    served.receive(idle, "x\n");
    served.wait_for([&] { return silent.at_end() && idle.at_end(); });
    CHECK(silent.received().empty());
}

TEST_CASE("who does not read its answer is closed") {
    HttpLimits limits = Served::patient;
    limits.answer = 50ms;
    Served served(limits);
    served.handler.on_complete = [&](HttpRequestId id) {
        served.server->answer(id, {.body = std::string(8'000'000, 'x')});
    };
    FarEnd client = served.connect();
    client.send(post_of("x"));
    served.wait_for_completed(1);
    served.wait_for([&] { return served.server->connections() == 0; });
}

TEST_CASE("those who send nothing keep nobody out") {
    HttpLimits limits = Served::patient;
    limits.most_listener_connections = 4;
    Served served(limits);
    served.answer_at_once();
    std::vector<FarEnd> silent;
    for (int i = 0; i < 40; ++i) {
        silent.push_back(served.connect());
        silent.back().send("GET / HT");
        settle(served.loop);
        CHECK(served.server->connections() <= 4);
    }
    FarEnd client = served.connect();
    client.send(post_of("hello"));
    served.receive(client, "hello\n");
}

TEST_CASE("those who do not read their answers keep nobody out") {
    HttpLimits limits = Served::patient;
    limits.most_listener_connections = 4;
    Served served(limits);
    bool is_long = true;
    served.handler.on_complete = [&](HttpRequestId id) {
        served.server->answer(id, {.body = std::string(is_long ? 8'000'000 : 1, 'x')});
    };
    std::vector<FarEnd> deaf;
    for (std::size_t i = 1; i <= 4; ++i) {
        deaf.push_back(served.connect());
        deaf.back().send(post_of("x"));
        served.wait_for_completed(i);
        settle(served.loop);
    }
    is_long = false;
    FarEnd client = served.connect();
    client.send(post_of("x"));
    served.wait_for_completed(5);
    CHECK(served.server->connections() == 4);
}

TEST_CASE("whose request was accepted is not closed for one who sends nothing") {
    HttpLimits limits = Served::patient;
    limits.most_listener_connections = 4;
    Served served(limits);
    FarEnd client = served.connect();
    const std::string request = post_of("hello");
    client.send(std::string_view(request).substr(0, request.size() - 1));
    served.wait_for([&] { return served.handler.begun.size() == 1; });
    std::vector<FarEnd> silent;
    for (int i = 0; i < 20; ++i) {
        silent.push_back(served.connect());
        settle(served.loop);
    }
    client.send("o");
    served.wait_for_completed(1);
    CHECK(served.handler.lost.empty());
}

TEST_CASE("while all connections are owed an answer, others wait to be accepted") {
    HttpLimits limits = Served::patient;
    limits.most_listener_connections = 2;
    Served served(limits);
    std::vector<FarEnd> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(served.connect());
        clients.back().send(post_of("x", "Connection: close\r\n"));
        settle(served.loop);
    }
    CHECK(served.handler.completed.size() == 2);
    served.server->answer(served.handler.completed[0], {});
    served.wait_for_completed(3);
}

TEST_CASE("a listener that is removed answers what it owes and accepts nobody") {
    Served served;
    FarEnd idle = served.connect();
    idle.send(post_of("x"));
    served.wait_for_completed(1);
    served.server->answer(served.handler.completed[0], {.body = "first\n"});
    served.receive(idle, "first\n");
    served.handler.completed.clear();
    FarEnd client = served.connect();
    client.send(post_of("x"));
    served.wait_for_completed(1);
    const UniqueFd listener = served.server->remove(served.listener);
    CHECK(listener);
    served.wait_for([&] { return idle.at_end(); });
    served.server->answer(served.handler.completed[0], {.body = "last\n"});
    CHECK(served.receive(client, "last\n").find("Connection: close") != std::string::npos);
    client.close();
    served.wait_for([&] { return served.server->connections() == 0; });
    FarEnd late = served.connect();
    late.send(post_of("x"));
    settle(served.loop);
    CHECK(served.handler.completed.size() == 1);
}

TEST_CASE("a server that is destroyed closes what it has, and tells no handler") {
    Served served;
    FarEnd client = served.connect();
    client.send(post_of("x"));
    served.wait_for_completed(1);
    served.server.reset();
    CHECK(client.at_end());
    CHECK(served.handler.lost.empty());
}

TEST_CASE("a request that was on its way when its listener was removed is served") {
    Served served;
    served.answer_at_once();
    FarEnd fresh = served.connect();
    FarEnd used = served.connect();
    used.send(post_of("first"));
    served.receive(used, "first\n");
    served.wait_for([&] { return served.server->connections() == 2; });
    fresh.send(post_of("fresh"));
    used.send(post_of("used"));
    [[maybe_unused]] const UniqueFd listener = served.server->remove(served.listener);
    CHECK(served.receive(fresh, "fresh\n").find("Connection: close") != std::string::npos);
    CHECK(served.receive(used, "used\n").find("Connection: close") != std::string::npos);
}
