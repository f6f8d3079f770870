// Whatever bytes come, in whatever pieces: the same messages come out, none claims more than there
// is, and together they are the beginning of what went in.
#include "supervisor/agent/framer.hpp"
#include "supervisor/agent/wire.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace livesock;

namespace {

void require(bool claim) {
    if (!claim)
        std::abort();
}

/// The messages in `input`, one after the other, when it comes in pieces of `size`; what is left.
std::string frames_of(std::string_view input, std::size_t size, bool& malformed) {
    Framer framer;
    std::string frames;
    while (!input.empty() && !framer.malformed()) {
        // A copy of its own, so that the sanitizer sees a view that outlives its bytes.
        const std::string copy(input.substr(0, size));
        input.remove_prefix(copy.size());
        std::string_view piece = copy;
        while (const std::optional<Message> message = framer.next(piece)) {
            const std::string_view frame = message->frame();
            require(frame.size() == length_field + WireReader(frame).uint32().value());
            require(frame.size() > length_field && frame.size() <= length_field + longest_message);
            require(message->contents().size() + length_field + 1 == frame.size());
            require(!name_of(kind_of(*message)).empty());
            require(signing_key(*message).size() <= message->contents().size());
            frames += frame;
        }
        require(piece.empty() || framer.malformed());
    }
    malformed = framer.malformed();
    return frames;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    bool whole_malformed = false;
    const std::string whole = frames_of(input, std::max<std::size_t>(input.size(), 1), whole_malformed);
    require(input.starts_with(whole));
    for (const std::size_t piece : {std::size_t{1}, std::size_t{data[0]} + 1}) {
        bool malformed = false;
        require(frames_of(input, piece, malformed) == whole);
        require(malformed == whole_malformed);
    }
    return 0;
}
