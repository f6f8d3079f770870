#include "supervisor/broker/event_stream.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

/// The events of `text`, given `step` bytes at a time.
std::vector<std::string> events_of(std::string_view text, std::size_t step = 1000,
                                   EventStream stream = EventStream(100)) {
    std::vector<std::string> events;
    while (!text.empty()) {
        std::string_view piece = text.substr(0, step);
        text.remove_prefix(piece.size());
        while (const auto event = stream.next(piece))
            events.push_back(event->type + "=" + event->data);
    }
    return events;
}

using Events = std::vector<std::string>;

} // namespace

TEST_CASE("events are cut out of a stream, however it arrives") {
    const std::string text = "event: message\ndata: one\ndata: two\n\n: keep-alive\n\n"
                             "data:three\r\n\r\nevent: other\rdata: four\r\rdata\n\n";
    for (const std::size_t step : {1U, 2U, 3U, 7U, 1000U})
        CHECK(events_of(text, step) ==
              Events{"message=one\ntwo", "message=three", "other=four", "message="});
}

TEST_CASE("an event that is not complete, or has no data, is none") {
    CHECK(events_of("data: one\n").empty());
    CHECK(events_of("event: message\n\n").empty());
    CHECK(events_of("\n\n\n: x\n\nid: 7\nretry: 1\n\n").empty());
    CHECK(events_of("event: other\n\ndata: x\n\n") == Events{"message=x"});
}

TEST_CASE("only one blank behind the colon is left out") {
    CHECK(events_of("data:  two blanks \n\n") == Events{"message= two blanks "});
}

TEST_CASE("a byte order mark may stand in front") {
    CHECK(events_of("\xEF\xBB\xBF"
                    "data: x\n\n") == Events{"message=x"});
    CHECK(events_of(": x\n\xEF\xBB\xBF"
                    "data: x\n\n")
              .empty());
}

TEST_CASE("an event that is too large is left out, and the stream goes on") {
    const std::string large = "data: " + std::string(100, 'x') + "\n";
    for (const std::size_t step : {1U, 5U, 7U, 106U, 107U, 1000U}) {
        CAPTURE(step);
        CHECK(events_of(large + "data: y\n\ndata: z\n\n", step) == Events{"message=z"});
        CHECK(events_of("data: " + std::string(60, 'x') + "\ndata: " + std::string(60, 'x') +
                            "\ndata: y\n\ndata: z\n\n",
                        step) == Events{"message=z"});
    }
    EventStream stream(10);
    std::string_view input = "data: 12345678901\n\ndata: z\n\n";
    CHECK(stream.next(input)->data == "z");
    CHECK(stream.take_left_out() == 1);
    CHECK(stream.take_left_out() == 0);
}
