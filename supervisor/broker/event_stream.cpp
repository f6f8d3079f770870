#include "supervisor/broker/event_stream.hpp"

#include <utility>

namespace livesock {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

} // namespace

std::optional<StreamEvent> EventStream::next(std::string_view& input) {
    while (!input.empty()) {
        if (std::exchange(skips_newline_, false) && input.front() == '\n') {
            input.remove_prefix(1);
            continue;
        }
        const std::size_t end = input.find_first_of("\r\n");
        const std::string_view piece = input.substr(0, end);
        if (line_.size() + data_.size() + piece.size() > limit_)
            is_too_large_ = true;
        else
            line_ += piece;
        is_in_line_ |= !piece.empty();
        if (end == std::string_view::npos) {
            input = {};
            break;
        }
        skips_newline_ = input[end] == '\r';
        // An empty line ends the event, also one of which a part was left out.
        const bool is_empty = !std::exchange(is_in_line_, false);
        input.remove_prefix(end + 1);
        if (is_too_large_ && !is_empty) {
            line_.clear();
            continue;
        }
        if (std::optional<StreamEvent> event = on_line())
            return event;
    }
    return std::nullopt;
}

std::optional<StreamEvent> EventStream::on_line() {
    std::string line = std::exchange(line_, {});
    if (std::exchange(is_first_line_, false) && line.starts_with(byte_order_mark))
        line.erase(0, byte_order_mark.size());
    if (!line.empty()) {
        const std::string_view text = line;
        const std::size_t colon = text.find(':');
        std::string_view value =
            colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
        if (value.starts_with(' '))
            value.remove_prefix(1);
        on_field(text.substr(0, colon), value);
        return std::nullopt;
    }
    StreamEvent event{std::exchange(type_, {}), std::exchange(data_, {})};
    const bool is_whole = std::exchange(has_data_, false) && !is_too_large_;
    left_out_ += std::exchange(is_too_large_, false) ? 1 : 0;
    if (event.type.empty())
        event.type = "message";
    return is_whole ? std::optional(std::move(event)) : std::nullopt;
}

/// A comment has no name; what is not known is passed over.
void EventStream::on_field(std::string_view name, std::string_view value) {
    if (name == "event") {
        type_ = value;
    } else if (name == "data") {
        if (has_data_)
            data_ += '\n';
        data_ += value;
        has_data_ = true;
    }
}

int EventStream::take_left_out() {
    return std::exchange(left_out_, 0);
}

} // namespace livesock
