// Asking an agent: what a part of ours does that is itself a client.
#pragma once

#include "supervisor/agent/message_stream.hpp"
#include "supervisor/base/result.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace livesock {

/// Opens a connection to whichever agent serves at that moment, without waiting; non-blocking.
using AgentDoor = std::function<Result<UniqueFd>()>;

/// What became of one request.
struct AgentAnswer {
    enum class Kind {
        answered, ///< `message` is the agent's, and no SSH_AGENT_FAILURE
        refused,  ///< SSH_AGENT_FAILURE
        broken,   ///< the connection ended, or carries something else than the agent protocol
        late,     ///< nothing came within the limit
    };
    Kind kind = Kind::broken;
    std::optional<Message> message = std::nullopt; ///< valid for the duration of the call
};

/// One connection to an agent, for requests one after the other. After an answer that is `broken`
/// or `late` there is no further one on it. Destroying it cancels what was asked.
class AgentConversation {
  public:
    /// Called from the loop, never from within ask(); it may ask again, but must not destroy the
    /// conversation.
    using Done = std::function<void(const AgentAnswer&)>;

    AgentConversation(EventLoop& loop, UniqueFd fd);

    /// Sends `frame`, a whole message, and calls `done` exactly once, within `limit`. No other
    /// request may be under way.
    void ask(std::string_view frame, Duration limit, Done done);

    bool is_asking() const { return static_cast<bool>(done_); }

  private:
    void on_message(const Message& message);
    void finish(const AgentAnswer& answer);

    MessageStream stream_;
    Watch deadline_;
    Done done_;
};

/// The frame of an SSH_AGENTC_SIGN_REQUEST (RFC 9987, section 5.5).
[[nodiscard]] std::string sign_request_frame(std::string_view key_blob, std::string_view data,
                                             std::uint32_t flags);

/// RFC 9987, section 5.5.1: an RSA key signs with rsa-sha2-512.
inline constexpr std::uint32_t sign_with_rsa_sha2_512 = 4;

/// The signature (RFC 4253, section 6.6: algorithm and what belongs to it) in an
/// SSH_AGENT_SIGN_RESPONSE, a view into it; nothing if it is another message or malformed.
[[nodiscard]] std::optional<std::string_view> parse_signature(const Message& answer);

} // namespace livesock
