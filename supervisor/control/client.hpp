// The asking end of the control protocol (livesock-protocol(7)): one JSON object a line each way.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/result.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace livesock {

/// How long a supervisor that works may take to answer.
inline constexpr std::chrono::seconds control_answer_timeout{4};

/// The longest line that is taken for an answer.
inline constexpr std::size_t longest_control_answer = 16 * 1024 * 1024;

/// What is asked: the command and the members that go with it.
struct ControlRequest {
    using Value = std::variant<std::nullptr_t, std::string, std::int64_t, std::vector<std::string>>;

    std::string command;
    std::vector<std::pair<std::string, Value>> members = {};
};

/// What the supervisor said. A request that it refuses is an answer too.
struct ControlAnswer {
    bool ok = false;
    std::string error; ///< why not, for a person; safe to show
    std::string code;  ///< why not, for a program: "not_found", "timeout", ...
    std::string text;  ///< the whole line: a JSON object
};

/// A connection to the supervisor of one runtime directory. Calls block, each no longer than its
/// limit: a supervisor that hangs is an error here, never a hang.
class ControlClient {
  public:
    /// Connects to the control socket in `directory` after checking that the directory is private,
    /// and that the one who listens is this user. Error::code is ENOENT where nobody listens: no
    /// directory, no socket, or one that a killed supervisor left.
    static Result<ControlClient> connect(const std::string& directory);

    /// Speaks on `fd`, a connected stream socket, without any check; for tests.
    static ControlClient on(UniqueFd fd, std::string directory);

    /// Sends `request` and returns the answer to it. No `limit` means to wait for ever. Error::code
    /// is ETIMEDOUT if the supervisor does not answer, ECONNRESET if it ended meanwhile, EMSGSIZE
    /// if the answer is too long and EBADMSG if it is no JSON object. After an error the connection
    /// is of no use any more.
    Result<ControlAnswer> ask(const ControlRequest& request,
                              std::optional<Duration> limit = control_answer_timeout);

    /// The halves of ask(), for those who wait for other things too: after tell(), take_answer() as
    /// soon as fd() is readable.
    Result<void> tell(const ControlRequest& request,
                      std::optional<Duration> limit = control_answer_timeout);
    Result<ControlAnswer> take_answer(std::optional<Duration> limit = control_answer_timeout);
    int fd() const { return fd_.get(); }

    /// Waits until the supervisor has closed this connection and, where its pid can be known, its
    /// process has ended. Error::code is ETIMEDOUT if that takes longer than `limit`.
    Result<void> wait_for_end(Duration limit);

    /// What is to be said of a supervisor that is too late, and done about it.
    Error no_answer() const;

    /// The runtime directory of the supervisor.
    const std::string& directory() const { return directory_; }

  private:
    ControlClient(UniqueFd fd, std::string directory, Peer peer);

    Result<void> send(std::string_view line, std::optional<TimePoint> deadline);
    Result<std::string> receive(std::optional<TimePoint> deadline);
    Error ended() const;

    UniqueFd fd_;
    std::string directory_;
    Peer peer_;
    std::string received_; ///< what came after the last line that was returned
};

} // namespace livesock
