#include "supervisor/agent/message_stream.hpp"

#include "tests/support/far_end.hpp"
#include "tests/support/run_until.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

using End = MessageStream::End;

std::string message_of(std::string_view contents) {
    return make_frame(MessageType::sign_request, contents);
}

/// A stream and its other end; what the stream tells is recorded.
struct Conversation {
    Conversation() {
        auto [ours, theirs] = make_connection();
        far = std::move(theirs);
        stream = std::make_unique<MessageStream>(
            loop, std::move(ours),
            MessageStream::Callbacks{.message =
                                         [this](const Message& message) {
                                             contents.emplace_back(message.contents());
                                             if (on_message)
                                                 on_message();
                                         },
                                     .end =
                                         [this](End end) {
                                             ends.push_back(end);
                                             if (on_end)
                                                 on_end();
                                         },
                                     .drained = [this] { ++drained; }});
        stream->start();
    }

    bool run_until_message(std::size_t count) {
        return run_until(loop, [&] { return contents.size() >= count; });
    }
    bool run_until_end(std::size_t count = 1) {
        return run_until(loop, [&] { return ends.size() >= count; });
    }

    EventLoop loop = make_loop();
    FarEnd far;
    std::unique_ptr<MessageStream> stream;
    std::vector<std::string> contents;
    std::vector<End> ends;
    int drained = 0;
    std::function<void()> on_message;
    std::function<void()> on_end;
};

/// Sends until the other end takes no more, and returns all that was sent.
std::string fill(MessageStream& stream) {
    const std::string frame = message_of(std::string(100'000, 'x'));
    std::string sent;
    while (stream.is_drained()) {
        stream.send(frame);
        sent += frame;
    }
    return sent;
}

} // namespace

TEST_CASE("messages arrive whole and in order") {
    Conversation talk;
    talk.far.send(message_of("one") + message_of("two") + message_of("three"));
    REQUIRE(talk.run_until_message(3));
    CHECK(talk.contents == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("a message that comes byte by byte arrives when it is complete") {
    Conversation talk;
    for (const char c : message_of("slow")) {
        CHECK(talk.contents.empty());
        talk.far.send(std::string(1, c));
        settle(talk.loop);
    }
    CHECK(talk.contents == std::vector<std::string>{"slow"});
}

TEST_CASE("the longest message arrives") {
    Conversation talk;
    const std::string frame = message_of(std::string(longest_message - 1, 'x'));
    std::size_t sent = 0;
    REQUIRE(run_until(talk.loop, [&] {
        sent += talk.far.send(std::string_view(frame).substr(sent));
        return !talk.contents.empty();
    }));
    CHECK(talk.contents[0].size() == longest_message - 1);
}

TEST_CASE("no callback comes from within start(), send(), release() or close()") {
    Conversation talk;
    talk.far.send(message_of("one") + message_of("two"));
    talk.stream->start();
    CHECK(talk.contents.empty());
    talk.on_message = [&] { talk.stream->hold(); };
    REQUIRE(talk.run_until_message(1));
    talk.stream->release();
    CHECK(talk.contents.size() == 1);
    talk.far.close();
    talk.stream->send(message_of("into the void"));
    talk.stream->close();
    CHECK(talk.ends.empty());
    settle(talk.loop);
    CHECK(talk.contents.size() == 1);
    CHECK(talk.ends.empty());
}

TEST_CASE("reading ahead delivers within the call what has arrived") {
    Conversation talk;
    talk.far.send(message_of("early"));
    talk.stream->read_ahead();
    CHECK(talk.contents == std::vector<std::string>{"early"});
}

TEST_CASE("reading ahead where nothing has arrived does nothing") {
    Conversation talk;
    talk.stream->read_ahead();
    CHECK(talk.contents.empty());
    CHECK(talk.ends.empty());
    CHECK(talk.stream->is_open());
}

TEST_CASE("a held stream delivers nothing, a released one goes on where it was") {
    Conversation talk;
    talk.on_message = [&] { talk.stream->hold(); };
    talk.far.send(message_of("one") + message_of("two"));
    REQUIRE(talk.run_until_message(1));
    talk.far.send(message_of("three"));
    settle(talk.loop);
    CHECK(talk.contents == std::vector<std::string>{"one"});

    talk.stream->release();
    REQUIRE(talk.run_until_message(2));
    settle(talk.loop);
    CHECK(talk.contents == std::vector<std::string>{"one", "two"});

    talk.stream->release();
    REQUIRE(talk.run_until_message(3));
    CHECK(talk.contents == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("messages keep their order over hold and release, wherever the input is cut") {
    std::string input;
    std::vector<std::string> expected;
    for (int i = 0; i < 6; ++i) {
        expected.push_back("message " + std::to_string(i));
        input += message_of(expected.back());
    }
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        CAPTURE(cut);
        Conversation talk;
        talk.on_message = [&] { talk.stream->hold(); };
        talk.far.send(input.substr(0, cut));
        settle(talk.loop);
        talk.far.send(input.substr(cut));
        REQUIRE(run_until(talk.loop, [&] {
            talk.stream->release();
            return talk.contents.size() >= expected.size();
        }));
        CHECK(talk.contents == expected);
    }
}

TEST_CASE("a thousand pipelined messages, each held and released at once, do not pile up calls") {
    Conversation talk;
    int depth = 0;
    int deepest = 0;
    talk.on_message = [&] {
        deepest = std::max(deepest, ++depth);
        talk.stream->hold();
        talk.stream->release();
        --depth;
    };
    std::string input;
    for (int i = 0; i < 1000; ++i)
        input += message_of(std::to_string(i));
    REQUIRE(talk.far.send(input) == input.size());
    REQUIRE(talk.run_until_message(1000));
    CHECK(deepest == 1);
    for (int i = 0; i < 1000; ++i)
        REQUIRE(talk.contents[static_cast<std::size_t>(i)] == std::to_string(i));
}

TEST_CASE("an end that shuts down its writing half is told from one that is gone") {
    Conversation talk;
    SUBCASE("half-closed") {
        talk.far.shut_down_writing();
        REQUIRE(talk.run_until_end());
        CHECK(talk.ends == std::vector{End::half_closed});
        talk.stream->send(message_of("answer"));
        CHECK(talk.far.received() == message_of("answer"));
    }
    SUBCASE("gone, while an answer is owed") {
        talk.stream->hold();
        talk.far.close();
        REQUIRE(talk.run_until_end());
        CHECK(talk.ends == std::vector{End::gone});
    }
    SUBCASE("gone, where it makes no difference") {
        talk.far.close();
        REQUIRE(talk.run_until_end());
        CHECK(talk.ends == std::vector{End::half_closed});
    }
    settle(talk.loop);
    CHECK(talk.ends.size() == 1);
}

TEST_CASE("an end that is gone after it was half-closed is told") {
    Conversation talk;
    SUBCASE("while held") {
        talk.stream->hold();
    }
    SUBCASE("with bytes that it does not read") {
        fill(*talk.stream);
    }
    talk.far.shut_down_writing();
    REQUIRE(talk.run_until_end());
    settle(talk.loop);
    CHECK(talk.ends == std::vector{End::half_closed});
    talk.far.close();
    REQUIRE(talk.run_until_end(2));
    settle(talk.loop);
    CHECK(talk.ends == std::vector{End::half_closed, End::gone});
}

TEST_CASE("a half-closed end still gets all that was kept for it") {
    Conversation talk;
    const std::string sent = fill(*talk.stream);
    talk.far.shut_down_writing();
    REQUIRE(talk.run_until_end());
    REQUIRE(run_until(talk.loop, [&] { return talk.far.received().size() == sent.size(); }));
    CHECK(talk.far.received() == sent);
    REQUIRE(run_until(talk.loop, [&] { return talk.drained == 1; }));
    CHECK(talk.ends == std::vector{End::half_closed});
}

TEST_CASE("messages before the end are delivered before it is told") {
    Conversation talk;
    talk.far.send(message_of("one") + message_of("two"));
    talk.far.shut_down_writing();
    SUBCASE("not held") {
        REQUIRE(talk.run_until_end());
        CHECK(talk.contents.size() == 2);
    }
    SUBCASE("held after each") {
        talk.on_message = [&] { talk.stream->hold(); };
        REQUIRE(talk.run_until_message(1));
        settle(talk.loop);
        CHECK(talk.ends.empty());
        talk.stream->release();
        REQUIRE(talk.run_until_message(2));
        REQUIRE(talk.run_until_end());
    }
    CHECK(talk.ends == std::vector{End::half_closed});
}

TEST_CASE("a held stream tells that its other end is gone") {
    Conversation talk;
    talk.stream->hold();
    settle(talk.loop);
    talk.far.close();
    REQUIRE(talk.run_until_end());
    CHECK(talk.ends == std::vector{End::gone});
}

TEST_CASE("half a message before the end is no message") {
    Conversation talk;
    talk.far.send(message_of("whole") + message_of("cut").substr(0, 6));
    talk.far.close();
    REQUIRE(talk.run_until_end());
    CHECK(talk.contents == std::vector<std::string>{"whole"});
    CHECK(talk.ends == std::vector{End::half_closed});
}

TEST_CASE("what is not the protocol is told once, after the messages before it") {
    Conversation talk;
    talk.far.send(message_of("fine") + std::string(4, '\0') + message_of("never seen"));
    REQUIRE(talk.run_until_end());
    talk.far.send(message_of("nor this"));
    settle(talk.loop);
    CHECK(talk.contents == std::vector<std::string>{"fine"});
    CHECK(talk.ends == std::vector{End::malformed});
}

TEST_CASE("a callback may close its stream: none follows") {
    Conversation talk;
    SUBCASE("in a message") {
        talk.on_message = [&] { talk.stream->close(); };
        talk.far.send(message_of("one") + message_of("two"));
        talk.far.close();
        REQUIRE(talk.run_until_message(1));
    }
    SUBCASE("at the end") {
        talk.on_end = [&] { talk.stream->close(); };
        talk.far.shut_down_writing();
        REQUIRE(talk.run_until_end());
        talk.far.close();
    }
    SUBCASE("where it is malformed") {
        talk.on_end = [&] { talk.stream->close(); };
        talk.far.send(std::string(8, '\0'));
        REQUIRE(talk.run_until_end());
    }
    settle(talk.loop);
    CHECK(talk.contents.size() + talk.ends.size() == 1);
    CHECK(!talk.stream->is_open());
}

TEST_CASE("a closed stream gives its descriptor back, and takes nothing any more") {
    Conversation talk;
    fill(*talk.stream);
    talk.stream->close();
    CHECK(!talk.stream->is_open());
    CHECK(talk.stream->is_drained());
    CHECK(!talk.stream->stalled_since());
    talk.stream->send(message_of("late"));
    talk.stream->release();
    settle(talk.loop);
    CHECK(talk.stream->is_drained());
    CHECK(talk.far.at_end());
    CHECK(talk.drained == 0);
}

TEST_CASE("what the other end does not read at once is kept and written later") {
    Conversation talk;
    const std::string sent = fill(*talk.stream);
    CHECK(!talk.stream->is_drained());
    settle(talk.loop);
    CHECK(talk.drained == 0);
    REQUIRE(run_until(talk.loop, [&] { return talk.far.received().size() == sent.size(); }));
    REQUIRE(run_until(talk.loop, [&] { return talk.drained > 0; }));
    CHECK(talk.drained == 1);
    CHECK(talk.stream->is_drained());
    CHECK(talk.far.received() == sent);
}

TEST_CASE("messages that are sent while others are kept come after them") {
    Conversation talk;
    std::string sent = fill(*talk.stream);
    const std::size_t room = talk.far.take().size();
    talk.stream->send(message_of("last"));
    sent += message_of("last");
    REQUIRE(run_until(talk.loop, [&] { return room + talk.far.received().size() == sent.size(); }));
    CHECK(talk.far.received() == sent.substr(room));
}

TEST_CASE("an end that is gone while bytes are kept for it is told") {
    Conversation talk;
    talk.stream->hold();
    fill(*talk.stream);
    talk.far.close();
    REQUIRE(talk.run_until_end());
    settle(talk.loop);
    CHECK(talk.ends == std::vector{End::gone});
    CHECK(talk.drained == 0);
}

TEST_CASE("a stream is stalled while half a message has come") {
    Conversation talk;
    CHECK(!talk.stream->stalled_since());
    const std::string frame = message_of("slow");
    const TimePoint before = Clock::now();
    talk.far.send(frame.substr(0, 3));
    REQUIRE(run_until(talk.loop, [&] { return talk.stream->stalled_since().has_value(); }));
    const std::optional<TimePoint> since = talk.stream->stalled_since();
    CHECK(*since >= before);
    talk.far.send(frame.substr(3, 2));
    settle(talk.loop);
    CHECK(talk.stream->stalled_since() == since);
    talk.far.send(frame.substr(5));
    REQUIRE(talk.run_until_message(1));
    CHECK(!talk.stream->stalled_since());
}

TEST_CASE("a stream is stalled while its other end does not read, and since it last read") {
    Conversation talk;
    fill(*talk.stream);
    talk.stream->send(message_of(std::string(longest_message - 1, 'x')));
    const std::optional<TimePoint> since = talk.stream->stalled_since();
    REQUIRE(since);
    settle(talk.loop);
    CHECK(talk.stream->stalled_since() == since);
    // The kernel takes more when about half of its room is free.
    std::string some(10'000, '\0');
    REQUIRE(run_until(talk.loop, [&] {
        return ::recv(talk.far.fd(), some.data(), some.size(), 0) <= 0 ||
               talk.stream->stalled_since() != since;
    }));
    CHECK(talk.stream->stalled_since() > since);
    CHECK(!talk.stream->is_drained());
    REQUIRE(run_until(talk.loop, [&] {
        talk.far.take();
        return talk.stream->is_drained();
    }));
    CHECK(!talk.stream->stalled_since());
}

TEST_CASE("a stream that is idle is not stalled") {
    Conversation talk;
    talk.far.send(message_of("one"));
    REQUIRE(talk.run_until_message(1));
    talk.stream->send(message_of("answer"));
    settle(talk.loop);
    CHECK(!talk.stream->stalled_since());
}
