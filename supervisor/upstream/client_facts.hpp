// A client of the agent socket, in words its user knows: "git in ~/src/x, pane %3".
#pragma once

#include "supervisor/agent/message.hpp"
#include "supervisor/base/clock.hpp"
#include "supervisor/upstream/login.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace livesock {

/// What is known of a client. Texts are empty where /proc does not say, as when it has ended.
struct ClientFacts {
    pid_t pid = 0;         ///< 0 if it is not known
    std::string program;   ///< that it runs, escaped
    std::string command;   ///< on whose behalf: the first program of what was typed, escaped
    std::string directory; ///< where it works
    std::string pane;      ///< of tmux, in which it was started, such as "%3"
    std::string tmux;      ///< the socket of that tmux server
};

/// What a client does at this moment.
struct ClientUse {
    pid_t pid = 0;           ///< 0 if it is not known
    std::uint64_t agent = 0; ///< Candidate::id() of the one it was led to last; 0 for none
    std::optional<RequestKind> request; ///< that waits for its answer
    TimePoint since{};                  ///< the request waits; without one, the last was answered
};

/// What /proc tells of the process `pid` now.
[[nodiscard]] ClientFacts facts_of_client(pid_t pid);

/// Where a client was started: in a pane of tmux, or by a login.
struct ClientPlace {
    std::string pane;   ///< empty unless it was in tmux
    std::string socket; ///< of that tmux server
    std::optional<Login> login;
};

/// What the environment tells with which the process `pid` was started.
[[nodiscard]] ClientPlace place_of_client(pid_t pid);

/// Where tmux has started a program.
struct PaneName {
    std::string_view pane;
    std::string_view socket;
};

/// The pane of a program with the environment `environ_bytes` (environment_of()); both empty unless
/// it has the variables that tmux(1) sets, in their form.
[[nodiscard]] PaneName pane_in(std::string_view environ_bytes);

/// Whether `program` is a shell, which has nothing to say about what is done in it.
[[nodiscard]] bool is_shell(std::string_view program);

} // namespace livesock
