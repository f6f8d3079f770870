// The phrases that more than one command uses: one voice for all of them. Pure text.
#pragma once

#include "tools/answers.hpp"
#include "tools/print.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace livesock {

/// Longer labels and names are cut, so that a line stays a line.
inline constexpr std::size_t longest_label = 32;

/// `text`, escaped and cut in the middle to `width` columns.
[[nodiscard]] std::string shown(const std::string& text, std::size_t width);

/// "1 key", "2 keys".
[[nodiscard]] std::string plural(std::int64_t count, const char* what);

/// A number of seconds for a person, "now" for none; numbers from elsewhere are brought into range.
[[nodiscard]] std::string seconds_text(std::int64_t seconds);
/// The same, to the millisecond.
[[nodiscard]] std::string milliseconds_text(double milliseconds);

/// Whether an agent owes an answer for so long that its last round trip is not true any more.
[[nodiscard]] bool is_overdue(const AgentReport& agent);

/// For how long an agent owes an answer; only of one that does.
[[nodiscard]] std::string overdue_text(const AgentReport& agent);

/// The last round trip of an agent, ">2.0 s" of one that is overdue, "-" where there was none.
[[nodiscard]] std::string round_trip_text(const AgentReport& agent);

/// The colour in which the state of an agent is shown.
[[nodiscard]] Colour colour_of(const std::string& state);

/// Whether there is more to say about whose it is than its path.
[[nodiscard]] bool is_named(const AgentReport& agent);

/// How a sentence calls an agent: "the agent of 10.0.0.5 on pts/3", "the agent 'work keys'", "the
/// agent at /path/of/its/socket".
[[nodiscard]] std::string agent_called(const AgentReport& agent);

/// The agent that requests go to, null if there is none that is live.
[[nodiscard]] const AgentReport* used_agent(const StatusReport& report);

/// How a sentence calls a client: "git in ~/src/x, pane %3", "a program that has ended", or
/// "a program elsewhere": on another machine, or in a container.
[[nodiscard]] std::string client_called(const ClientReport& client, const View& view);

/// Why an agent is not live, or why it may not be; empty if there is nothing to be said.
[[nodiscard]] std::string state_note(const AgentReport& agent);

/// Who uses an agent, of whom at most `most` are named; empty if nobody does.
[[nodiscard]] std::string users_note(const AgentReport& agent, const View& view, std::size_t most);

/// A line that holds nothing but a command to type.
[[nodiscard]] std::string command_line(const std::string& command, const View& view);

/// The name of this user, empty if it has none.
[[nodiscard]] std::string user_name();

/// The port of the sshd that `connection`, an SSH_CONNECTION, came to, where it is to be named;
/// empty for the usual one, or if there is none.
[[nodiscard]] std::string login_port(std::string_view connection);

/// What to type where the agent is, to come here with it: "ssh -A zoe@box".
[[nodiscard]] std::string login_command();

} // namespace livesock
