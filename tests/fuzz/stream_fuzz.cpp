// Whatever a server sends: the same comes out however it arrives, and nothing is kept beyond
// limits.
#include "supervisor/broker/event_stream.hpp"
#include "supervisor/http/response_parser.hpp"

#include <cstdint>
#include <cstdlib>

using namespace livesock;

namespace {

constexpr std::size_t limit = 64;

void require(bool claim) {
    if (!claim)
        std::abort();
}

std::string events_of(std::string_view text, std::size_t step) {
    EventStream stream(limit);
    std::string seen;
    while (!text.empty()) {
        std::string_view piece = text.substr(0, step);
        text.remove_prefix(piece.size());
        while (const auto event = stream.next(piece)) {
            require(event->data.size() <= limit);
            seen += event->type + '\x01' + event->data + '\x02';
        }
        require(piece.empty());
    }
    return seen + std::to_string(stream.take_left_out());
}

std::string response_of(std::string_view text, std::size_t step) {
    ResponseParser parser;
    std::string seen;
    while (!text.empty()) {
        std::string_view piece = text.substr(0, step);
        text.remove_prefix(piece.size());
        for (;;) {
            const ResponseParser::Step next = parser.next(piece);
            if (next == ResponseParser::Step::more)
                break;
            if (next == ResponseParser::Step::complete)
                return seen + "complete";
            if (next == ResponseParser::Step::malformed)
                return seen + "malformed";
            if (next == ResponseParser::Step::head)
                seen += std::to_string(parser.status()) + parser.type();
            else
                seen += parser.piece();
        }
    }
    return seen;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    require(events_of(text, 1) == events_of(text, 7));
    require(events_of(text, 1) == events_of(text, size + 1));
    require(response_of(text, 1) == response_of(text, size + 1));
    return 0;
}
