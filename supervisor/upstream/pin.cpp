#include "supervisor/upstream/pin.hpp"

#include <algorithm>

namespace livesock {
namespace {

bool is_named(const std::string& name, std::string_view word) {
    return !name.empty() && name == word;
}

bool is_terminal(const std::string& tty, std::string_view word) {
    constexpr std::string_view directory = "/dev/";
    if (word.starts_with(directory))
        word.remove_prefix(directory.size());
    return is_named(tty, word);
}

} // namespace

std::string_view name_of(NameKind kind) {
    switch (kind) {
    case NameKind::path:
        return "path";
    case NameKind::label:
        return "label";
    case NameKind::address:
        return "address";
    case NameKind::host:
        return "host";
    case NameKind::tty:
        return "tty";
    case NameKind::key:
        return "key";
    }
    return {};
}

std::optional<NameKind> match(const AgentNames& names, std::string_view word) {
    if (is_named(names.path, word))
        return NameKind::path;
    if (is_named(names.label, word))
        return NameKind::label;
    if (is_named(names.address, word))
        return NameKind::address;
    if (is_named(names.host, word))
        return NameKind::host;
    if (is_terminal(names.tty, word))
        return NameKind::tty;
    const bool is_key = std::any_of(names.keys.begin(), names.keys.end(),
                                    [&](const std::string& key) { return is_named(key, word); });
    return is_key ? std::optional(NameKind::key) : std::nullopt;
}

Fit fit(const Pin& pin, const AgentNames& names) {
    if (pin.word.empty())
        return Fit::none;
    if (pin.path.empty())
        return match(names, pin.word) ? Fit::exact : Fit::none;
    if (names.path == pin.path)
        return Fit::exact;
    return is_named(names.address, pin.client) ? Fit::client : Fit::none;
}

Pin pin_to(std::string_view word, NameKind kind, const AgentNames& meant) {
    Pin pin{.word = std::string(word)};
    if (kind == NameKind::path || kind == NameKind::label || kind == NameKind::tty) {
        pin.path = meant.path;
        pin.client = meant.address;
    }
    return pin;
}

std::optional<Meaning> meaning(std::span<const AgentNames> agents, std::string_view word) {
    std::optional<Meaning> best;
    for (std::size_t i = 0; i < agents.size(); ++i) {
        const std::optional<NameKind> kind = match(agents[i], word);
        if (!kind || (best && *kind > best->kind))
            continue;
        if (!best || *kind < best->kind)
            best = Meaning{.kind = *kind};
        best->among.push_back(i);
    }
    return best;
}

} // namespace livesock
