// Cuts a text/event-stream into its events (HTML, "Server-sent events").
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace livesock {

struct StreamEvent {
    std::string type; ///< "message" unless the stream says another one
    std::string data; ///< its lines, joined by newlines
};

/// Holds one incomplete event. One that is larger than `limit` is left out as a whole, and the
/// stream goes on behind it.
class EventStream {
  public:
    explicit EventStream(std::size_t limit)
        : limit_(limit) {}

    /// Takes bytes from the front of `input` up to the end of the next event and returns that;
    /// nothing if `input` was used up before.
    std::optional<StreamEvent> next(std::string_view& input);

    /// How many events were left out since this was called last.
    int take_left_out();

  private:
    std::optional<StreamEvent> on_line();
    void on_field(std::string_view name, std::string_view value);

    std::size_t limit_;
    std::string line_;
    std::string type_;
    std::string data_;
    bool has_data_ = false;
    bool is_too_large_ = false;  // this event
    bool is_in_line_ = false;    // something of a line has come
    bool skips_newline_ = false; // the line ended in CR: LF may follow
    bool is_first_line_ = true;  // which a byte order mark may precede
    int left_out_ = 0;
};

} // namespace livesock
