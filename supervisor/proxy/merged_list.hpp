// The identities of several agents as one list.
#pragma once

#include "supervisor/agent/identities.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// Collects what agents answer, in the order in which they are asked. A key that several of them
/// offer is listed once, and is the first one's.
class MergedList {
  public:
    /// Takes the identities of the candidate with the id `agent`. Those that would make the answer
    /// longer than a message may be are left out.
    void add(std::uint64_t agent, std::vector<Identity> identities);

    /// Whether any agent has answered.
    bool has_answers() const { return has_answers_; }
    /// The SSH_AGENT_IDENTITIES_ANSWER with all of them.
    std::string frame() const;
    /// The id of the candidate that offers the key.
    std::optional<std::uint64_t> agent_of(std::string_view blob) const;

  private:
    struct Entry {
        Identity identity;
        std::uint64_t agent;
    };
    std::vector<Entry> entries_;
    std::size_t size_ = 0; // of the answer's contents so far, without its count
    bool has_answers_ = false;
};

} // namespace livesock
