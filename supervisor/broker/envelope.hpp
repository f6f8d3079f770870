// The messages of the guest/host bus (livesock-protocol(7)): JSON in, JSON out, and nothing
// believed that has not been looked at.
#pragma once

#include "supervisor/base/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace livesock {

/// The largest message, and how deep its objects and arrays may lie in each other.
inline constexpr std::size_t largest_envelope = 1024 * 1024;
inline constexpr int deepest_envelope = 16;

/// How many values a message may have: a list has some for each key. Many small ones take the time
/// of one who has to read them.
inline constexpr int most_request_values = 256;
inline constexpr int most_answer_values = 10'000;

/// The longest name of a guest, and the longest `shed`: that is kept until the answer is posted.
inline constexpr std::size_t longest_guest_name = 128;
inline constexpr std::size_t longest_shed = 4096;

inline constexpr std::string_view bus_namespace = "ssh-agent";

enum class EnvelopeType { request, response, event };

/// What goes over the bus. One that was made by parse_envelope() is of the namespace "ssh-agent".
struct Envelope {
    std::string id;
    EnvelopeType type = EnvelopeType::request;
    std::string in_reply_to; ///< of a response; else empty
    bool is_final = true;
    std::string payload; ///< an object, as JSON
    std::string shed;    ///< who sent it, an object as JSON; empty if nobody is told
    std::string guest;   ///< its "name"; escape it before showing it
};

/// Error: what is wrong with `text`, for a person. Members that are not known are passed over. More
/// than `most_values` values are wrong.
[[nodiscard]] Result<Envelope> parse_envelope(std::string_view text,
                                              int most_values = most_answer_values);
/// Of what parse_envelope() refuses, the request that it was to be, without a payload: whom to
/// answer. Nothing if that cannot be told.
[[nodiscard]] std::optional<Envelope> salvage_request(std::string_view text);
/// With a timestamp of `now`. `envelope.payload` and `envelope.shed` are JSON already.
[[nodiscard]] std::string to_json(const Envelope& envelope,
                                  std::chrono::system_clock::time_point now);

/// The response to `request`, with its `shed` and a new id.
[[nodiscard]] Envelope response_to(const Envelope& request, std::string payload,
                                   std::chrono::system_clock::time_point now);

/// What is posted to a bus: an envelope that the bus completes.
struct Publication {
    EnvelopeType type = EnvelopeType::request;
    std::string name_space;
    std::string payload; ///< an object, as JSON
};
/// What a bus says of a request that it does not pass on: {"error":{"code","message"}}.
struct BusError {
    int status = 500; ///< of HTTP
    std::string code;
    std::string message;
};

[[nodiscard]] std::string publication_of(std::string_view payload);
/// Either of the two; BusError is what to answer.
[[nodiscard]] std::variant<Publication, BusError> parse_publication(std::string_view text);
[[nodiscard]] std::string to_json(const BusError& error);
/// What the body of an answer with `status` says; its code is empty if that is not the format.
[[nodiscard]] BusError parse_bus_error(int status, std::string_view text);

} // namespace livesock
