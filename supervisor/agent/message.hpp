// The messages of the agent protocol (RFC 9987): a length, a type, and contents that are only
// looked into where something is decided by them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace livesock {

/// RFC 9987, section 6.1. A message may carry any other number: it is relayed like these.
enum class MessageType : std::uint8_t {
    failure = 5,
    success = 6,
    request_identities = 11,
    identities_answer = 12,
    sign_request = 13,
    sign_response = 14,
    add_identity = 17,
    remove_identity = 18,
    remove_all_identities = 19,
    add_smartcard_key = 20,
    remove_smartcard_key = 21,
    lock = 22,
    unlock = 23,
    add_id_constrained = 25,
    add_smartcard_key_constrained = 26,
    extension = 27,
    extension_failure = 28,
    extension_response = 29,
};

/// The longest message after its length field, as in OpenSSH (AGENT_MAX_LEN, 256 KiB).
inline constexpr std::size_t longest_message = 256 * 1024;
inline constexpr std::size_t length_field = 4;

/// A complete message as it stands on the wire; a view of bytes that belong to somebody else.
class Message {
  public:
    /// `frame`: the length field and as many bytes as it says, at least one.
    explicit Message(std::string_view frame)
        : frame_(frame) {}

    MessageType type() const { return static_cast<MessageType>(frame_[length_field]); }
    std::string_view contents() const { return frame_.substr(length_field + 1); }
    std::string_view frame() const { return frame_; }

  private:
    std::string_view frame_;
};

/// The frame of a message of `type` with `contents`.
[[nodiscard]] std::string make_frame(MessageType type, std::string_view contents = {});

/// What a client wants, as far as it decides how its request is relayed.
enum class RequestKind {
    list,         ///< which identities there are; harmless to repeat
    sign,         ///< a signature; may wait for a person's touch
    session_bind, ///< session-bind@openssh.com: makes this connection differ from others
    query,        ///< which extensions there are; harmless to repeat
    other,        ///< changes the agent, or is unknown: sent once, never repeated
};

[[nodiscard]] RequestKind kind_of(const Message& request);

/// The name of a request in the log: "list", "sign", "session-bind", ...
[[nodiscard]] std::string_view name_of(RequestKind kind);

/// For a sentence: "a list request", "a request of another kind".
[[nodiscard]] std::string phrase_of(RequestKind kind);

/// The public key blob that a sign request names; empty if it is malformed.
[[nodiscard]] std::string_view signing_key(const Message& sign_request);

/// The frame of the question that costs an agent least: the "query" extension. An agent that does
/// not know it must still answer (RFC 9987, section 5.8).
[[nodiscard]] const std::string& query_frame();
[[nodiscard]] const std::string& request_identities_frame();
[[nodiscard]] const std::string& failure_frame();

} // namespace livesock
