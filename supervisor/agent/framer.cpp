#include "supervisor/agent/framer.hpp"

#include "supervisor/agent/wire.hpp"

#include <algorithm>

namespace livesock {
namespace {

/// A buffer that served a message longer than this is given back afterwards.
constexpr std::size_t kept_capacity = 4096;

/// The length of the frame that begins `bytes`, which hold its length field; 0 if it is malformed.
std::size_t frame_length(std::string_view bytes) {
    const std::uint32_t length = WireReader(bytes).uint32().value_or(0);
    return length == 0 || length > longest_message ? 0 : length_field + length;
}

} // namespace

std::optional<Message> Framer::next(std::string_view& input) {
    if (complete_) {
        partial_.clear();
        if (partial_.capacity() > kept_capacity)
            partial_.shrink_to_fit();
        complete_ = false;
    }
    if (malformed_ || input.empty())
        return std::nullopt;

    // The usual case: the whole message is there, and is not copied.
    if (partial_.empty() && input.size() >= length_field) {
        const std::size_t length = frame_length(input);
        malformed_ = length == 0;
        if (length != 0 && input.size() >= length) {
            const Message message(input.substr(0, length));
            input.remove_prefix(length);
            return message;
        }
    }
    if (malformed_ || !take(input, length_field))
        return std::nullopt;
    const std::size_t length = frame_length(partial_);
    malformed_ = length == 0;
    if (malformed_ || !take(input, length))
        return std::nullopt;
    complete_ = true;
    return Message(partial_);
}

/// Fills partial_ up to `wanted` bytes; false if `input` did not suffice.
bool Framer::take(std::string_view& input, std::size_t wanted) {
    if (partial_.size() < wanted) {
        const std::size_t count = std::min(wanted - partial_.size(), input.size());
        partial_ += input.substr(0, count);
        input.remove_prefix(count);
    }
    return partial_.size() >= wanted;
}

} // namespace livesock
