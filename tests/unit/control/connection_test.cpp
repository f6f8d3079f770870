#include "supervisor/control/connection.hpp"

#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"

#include <memory>
#include <vector>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

using Lines = std::vector<std::string>;

/// More than a socket takes while its other end does not read.
constexpr std::size_t much = 2 * 1024 * 1024;

/// What the kernel keeps of what the server says (socket(7): it doubles what it is told).
constexpr int buffer_size = 128 * 1024;
constexpr std::size_t long_answer = buffer_size * 3 / 2;

/// A connection between a client and a server that the test plays.
struct Connected {
    EventLoop loop = make_loop();
    FarEnd client;
    Lines lines;
    int oversized = 0;
    int closed = 0;
    std::function<void()> on_line = [] {}; // after it was recorded
    std::unique_ptr<ControlConnection> connection;

    Connected() {
        auto [ours, theirs] = make_connection();
        client = std::move(theirs);
        const int size = buffer_size / 2;
        REQUIRE(::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
        connection = std::make_unique<ControlConnection>(
            loop, std::move(ours),
            ControlConnection::Callbacks{.line =
                                             [this](std::string_view line) {
                                                 lines.emplace_back(line);
                                                 on_line();
                                             },
                                         .oversized = [this] { ++oversized; },
                                         .closed = [this] { ++closed; }});
    }
    void say(std::string_view text) {
        REQUIRE(client.send(text) == text.size());
        settle(loop);
    }
    void answer(const std::string& line) {
        connection->answer(line);
        settle(loop);
    }
    /// Sends for as long as somebody takes it.
    std::size_t flood(std::string_view text) {
        std::size_t sent = 0;
        while (const std::size_t taken = client.send(text)) {
            sent += taken;
            settle(loop);
        }
        return sent;
    }
    bool is_let_go() {
        return run_until(loop, [this] { return closed > 0; });
    }
    bool receives(std::size_t size) {
        return run_until(loop, [&] { return client.received().size() >= size; });
    }
};

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i)
        all += text;
    return all;
}

} // namespace

TEST_CASE("a line that comes in pieces is handed over whole, without its newline") {
    Connected connected;
    connected.say("pi");
    CHECK(connected.lines.empty());
    CHECK(!connected.connection->owes_answer());
    connected.say("ng\n");
    CHECK(connected.lines == Lines{"ping"});
    CHECK(connected.connection->owes_answer());
    connected.answer("pong");
    CHECK(connected.client.take() == "pong\n");
    CHECK(!connected.connection->owes_answer());
    CHECK(connected.connection->is_open());
}

TEST_CASE("lines that come together are handed over one by one, each after an answer") {
    Connected connected;
    connected.say("a\n\nc\nd");
    CHECK(connected.lines == Lines{"a"});
    connected.answer("1");
    CHECK(connected.lines == Lines{"a", ""});
    connected.answer("2");
    CHECK(connected.lines == Lines{"a", "", "c"});
    connected.answer("3");
    CHECK(connected.lines == Lines{"a", "", "c"});
    CHECK(connected.client.take() == "1\n2\n3\n");
    connected.say("\n");
    CHECK(connected.lines == Lines{"a", "", "c", "d"});
}

TEST_CASE("lines that are answered at once are all answered, in order") {
    Connected connected;
    connected.on_line = [&] { connected.connection->answer(connected.lines.back()); };
    connected.say("a\nb\nc\n");
    CHECK(connected.client.take() == "a\nb\nc\n");
}

TEST_CASE("a line of the greatest length is taken, one that is longer is oversized") {
    Connected connected;
    const std::string longest(longest_control_line, 'x');
    SUBCASE("the greatest length") {
        connected.say(longest);
        CHECK(connected.oversized == 0);
        connected.say("\n");
        CHECK(connected.lines == Lines{longest});
        CHECK(connected.oversized == 0);
    }
    SUBCASE("longer") {
        SUBCASE("before its end has come") { connected.say(longest + "x"); }
        SUBCASE("with its end") { connected.say(longest + "x\n"); }
        SUBCASE("behind one that is being answered") {
            connected.say("first\n" + longest + "x\n");
            CHECK(connected.oversized == 0);
            connected.answer("1");
            CHECK(connected.lines == Lines{"first"});
            connected.lines.clear();
        }
        connected.flood("second\n");
        CHECK(connected.oversized == 1);
        CHECK(connected.lines.empty());
        connected.connection->answer("too long");
        connected.connection->close_when_written();
        settle(connected.loop);
        CHECK(connected.client.take().ends_with("too long\n"));
        CHECK(connected.client.at_end());
        CHECK(connected.oversized == 1);
        CHECK(connected.closed == 1);
    }
}

TEST_CASE("a client that shuts down its writing half gets its answers first") {
    Connected connected;
    connected.say("a\nb\nrest");
    connected.client.shut_down_writing();
    settle(connected.loop);
    CHECK(connected.connection->is_open());
    connected.answer("1");
    CHECK(connected.connection->is_open());
    CHECK(connected.lines == Lines{"a", "b"});
    connected.answer("2");
    CHECK(connected.client.take() == "1\n2\n");
    CHECK(connected.client.at_end());
    CHECK(connected.closed == 1);
}

TEST_CASE("a client that shuts down its writing half as it reads gets all its answers") {
    Connected connected;
    connected.on_line = [&] { connected.connection->answer(std::string(long_answer, 'x')); };
    connected.say("a\nb\n");
    CHECK(connected.lines == Lines{"a"});
    // The end of what it says and the room for the rest of the answer are seen in one turn.
    std::size_t received = connected.client.take().size();
    connected.client.shut_down_writing();
    CHECK(run_until(connected.loop, [&] {
        received += connected.client.take().size();
        return connected.client.at_end();
    }));
    CHECK(connected.lines == Lines{"a", "b"});
    CHECK(received == 2 * (long_answer + 1));
}

TEST_CASE("a client that ends with nothing asked is let go") {
    Connected connected;
    SUBCASE("at once") {}
    SUBCASE("within a line") { connected.say("half"); }
    SUBCASE("after an answer") {
        connected.say("a\n");
        connected.answer("1");
    }
    SUBCASE("by its writing half") {
        connected.client.shut_down_writing();
        CHECK(connected.is_let_go());
        CHECK(connected.client.at_end());
    }
    connected.client.close();
    CHECK(connected.is_let_go());
    settle(connected.loop);
    CHECK(connected.closed == 1);
    CHECK(!connected.connection->is_open());
}

TEST_CASE("a client that is gone is let go though its answer is open") {
    Connected connected;
    connected.say("a\n");
    SUBCASE("at once") {}
    SUBCASE("with lines behind") { connected.say("b\nc\n"); }
    SUBCASE("with more lines behind than are taken") { connected.flood("more\n"); }
    SUBCASE("some time after it shut down its writing half") {
        connected.client.shut_down_writing();
        settle(connected.loop);
        CHECK(connected.closed == 0);
    }
    SUBCASE("while the answer is being written") {
        connected.answer(std::string(much, 'x'));
        CHECK(connected.closed == 0);
    }
    connected.client.close();
    CHECK(connected.is_let_go());
    connected.answer("too late");
    CHECK(connected.closed == 1);
    CHECK(connected.lines == Lines{"a"});
}

TEST_CASE("a client that never reads is asked for no more until it has") {
    Connected connected;
    connected.say("a\nb\n");
    connected.answer(std::string(much, 'x'));
    CHECK(!connected.connection->owes_answer());
    CHECK(connected.flood(repeated("more\n", 1000)) < much);
    CHECK(connected.lines == Lines{"a"});
    REQUIRE(connected.receives(much + 1));
    settle(connected.loop);
    CHECK(connected.lines == Lines{"a", "b"});
    CHECK(connected.closed == 0);
}

TEST_CASE("what a client sends ahead stays within a limit, however many answers it gets") {
    Connected connected;
    connected.say("x\n");
    std::size_t sent = connected.flood(repeated("x\n", 1000));
    for (int i = 0; i < 500; ++i) {
        connected.answer("1");
        connected.client.take();
        sent += connected.flood(repeated("x\n", 1000));
    }
    CHECK(connected.lines.size() == 501);
    CHECK(sent < 1'000'000);
}

TEST_CASE("all that was sent ahead is answered in the end") {
    Connected connected;
    connected.say("x\n");
    const std::size_t sent = connected.flood(repeated("x\n", 1000)) + 2;
    connected.on_line = [&] { connected.connection->answer("1"); };
    connected.answer("1");
    std::size_t received = 0;
    CHECK(run_until(connected.loop, [&] {
        received += connected.client.take().size();
        return received == sent;
    }));
}

TEST_CASE("a client that sent too much ahead is read from again when that is answered") {
    Connected connected;
    const std::string line(longest_control_line - 100, 'x');
    connected.say("a\n" + line + '\n' + line + '\n');
    for (std::size_t i = 1; i <= 3; ++i) {
        CHECK(connected.lines.size() == i);
        connected.answer("1");
    }
    connected.say("b\n");
    CHECK(connected.lines.back() == "b");
}

TEST_CASE("an ending connection writes its answer, takes no further line, and closes") {
    Connected connected;
    SUBCASE("with an answer that is out at once") {
        connected.say("a\nb\n");
        connected.connection->answer("1");
        connected.connection->close_when_written();
        CHECK(connected.closed == 1);
        settle(connected.loop);
        CHECK(connected.client.take() == "1\n");
    }
    SUBCASE("with an answer for which there is no room yet") {
        connected.say("a\nb\n");
        connected.connection->answer(std::string(much, 'x'));
        connected.connection->close_when_written();
        settle(connected.loop);
        CHECK(connected.closed == 0);
        REQUIRE(connected.receives(much + 1));
        settle(connected.loop);
        CHECK(connected.client.take().size() == much + 1);
    }
    SUBCASE("with none") {
        connected.connection->close_when_written();
        CHECK(connected.closed == 1);
    }
    CHECK(connected.client.at_end());
    CHECK(connected.closed == 1);
    CHECK(connected.lines.size() <= 1);
}

TEST_CASE("a connection that is closed says so once, and nothing more to its client") {
    Connected connected;
    connected.say("a\nb\n");
    connected.connection->close();
    CHECK(connected.closed == 1);
    CHECK(!connected.connection->is_open());
    connected.connection->close();
    connected.answer("1");
    connected.connection->close_when_written();
    settle(connected.loop);
    CHECK(connected.closed == 1);
    CHECK(connected.lines == Lines{"a"});
    CHECK(connected.client.take().empty());
    CHECK(connected.client.at_end());
}
