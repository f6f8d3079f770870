// SSH signatures of files (OpenSSH's PROTOCOL.sshsig), as `ssh-keygen -Y sign` makes them.
#pragma once

#include "supervisor/base/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace livesock {

/// The SHA-512 of a message that comes in pieces: no more of it is kept.
class MessageHash {
  public:
    MessageHash();
    void add(std::string_view piece);
    /// The hash of all pieces. To be called once, last.
    [[nodiscard]] std::string finish();
    bool is_empty() const { return is_empty_; }

  private:
    struct State;
    struct StateDeleter {
        void operator()(State* state) const;
    };
    std::unique_ptr<State, StateDeleter> state_;
    bool is_empty_ = true;
};

/// What the key signs: `hash` within `name_space` (section 3).
[[nodiscard]] std::string sshsig_data(std::string_view name_space, std::string_view hash);

/// The signature file (sections 1 and 2, 70 columns): `signature`, an algorithm and what belongs to
/// it, of the key or certificate `key_blob`. The error says why it would not be verified: another
/// algorithm than sshsig_algorithm(), or malformed.
[[nodiscard]] Result<std::string>
armored_sshsig(std::string_view key_blob, std::string_view name_space, std::string_view signature);

} // namespace livesock
