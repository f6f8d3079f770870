// What the user has said about which agent to use, and which agents that means. Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// Everything that an agent may be called. Empty is no name.
struct AgentNames {
    std::string path = {};
    std::string label = {};
    std::string address = {};           ///< of its login's client
    std::string host = {};              ///< what that client is called
    std::string tty = {};               ///< of its login: "pts/3"
    std::vector<std::string> keys = {}; ///< fingerprints and comments
};

/// By which of its names an agent was meant, the most telling first.
enum class NameKind { path, label, address, host, tty, key };

[[nodiscard]] std::string_view name_of(NameKind kind);

/// The kind of the name that `word` is of the agent; nothing if it is none. A terminal may be
/// called by its path, too.
[[nodiscard]] std::optional<NameKind> match(const AgentNames& names, std::string_view word);

/// A preference that lasts until it is taken back.
struct Pin {
    std::string word = {};   ///< as the user has said it; empty for no pin
    std::string path = {};   ///< of the one agent that was meant, if it was one login's
    std::string client = {}; ///< the address of that login's client

    bool operator==(const Pin&) const = default;
};

/// How well an agent fits a pin.
enum class Fit {
    none,
    client, ///< another login from the client that was meant
    exact,
};

/// A path, a label and a terminal mean one login, and after its end the client's others: the next
/// login may well have that terminal and be somebody else's. An address, a host and a key mean
/// whatever has it.
[[nodiscard]] Fit fit(const Pin& pin, const AgentNames& names);

/// The pin that `word` means, where it is the name `kind` of the agent `meant`.
[[nodiscard]] Pin pin_to(std::string_view word, NameKind kind, const AgentNames& meant);

/// What `word` means among `agents`: the kind of name that it is of any of them, and the indices of
/// all those whose name it is. Nothing if it is nobody's.
struct Meaning {
    NameKind kind = NameKind::path;
    std::vector<std::size_t> among = {};
};
[[nodiscard]] std::optional<Meaning> meaning(std::span<const AgentNames> agents,
                                             std::string_view word);

} // namespace livesock
