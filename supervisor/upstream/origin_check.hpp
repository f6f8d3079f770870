// Agents that lead back to us: what forwards them, an ssh -A or another supervisor, was given our
// own socket.
#pragma once

#include "supervisor/agent/message.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace livesock {

/// A login to this very host, or one that comes round by another, can have our own agent socket as
/// its agent; so can a supervisor elsewhere that we have as an [[upstream]]. It answers like any
/// other, with what another agent told us; chosen, it would have every request go round and round.
/// What passes through such an agent comes to us as a client's request: only an agent that had its
/// answer while one came can be of this kind, and it is told by an extension that nobody else
/// sends.
class OriginCheck {
  public:
    OriginCheck();

    /// A client has sent a request.
    void request_came() { ++requests_; }
    /// How many there were.
    std::uint64_t requests() const { return requests_; }

    /// The question to put to the candidate with the id `agent`: an extension, which an agent that
    /// does not know it must still answer (RFC 9987, section 5.8).
    std::string question(std::uint64_t agent) const;
    /// The id of the candidate to which we have put that question, if `request`, a client's, is it.
    std::optional<std::uint64_t> asked(const Message& request) const;

  private:
    std::string secret_; // nobody else's question is taken for ours
    std::uint64_t requests_ = 0;
};

} // namespace livesock
