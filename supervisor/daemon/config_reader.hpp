// What the parts of the configuration's reader share. Only daemon/config*.cpp include this.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/daemon/config.hpp"
#include "supervisor/daemon/toml.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/types.h>

// How a configuration is read. A ConfigSection is a table of the file, with the member of Config
// that it fills and the Keys it knows; a Key is a name and a Setter. A Setter stores a value that
// is right, or returns how the line about it goes on: "probe.interval" + " is 5, expected a
// duration". All that is wrong is collected, because toml++ hands out its tables sorted by name;
// what comes first in the file is told.

namespace livesock {

struct ConfigSection;

/// Something that is wrong with the file.
struct Fault {
    toml::source_position where;
    std::string text;
};

/// What is wrong with a value, told about the node that it is wrong with.
struct Refusal {
    const toml::node* node;
    std::string text;
};
using Verdict = std::optional<Refusal>;

/// What is read, and what was found wrong so far.
struct Input {
    const std::string& home; ///< what "~" stands for; empty: unknown
    std::vector<Fault> faults{};

    void fault(const toml::source_region& where, std::string text) {
        faults.push_back({where.begin, std::move(text)});
    }
};

template <class Target>
struct Key {
    std::string_view name;
    Verdict (*set)(Target&, const toml::node&, const Input&);
};

/// One [name], or [[name]], of the file.
struct ConfigSection {
    std::string_view name;
    std::span<const std::string_view> keys;
    void (*read)(Input&, const ConfigSection&, const toml::node&, Config&);
};

/// The sections [[upstream]] and [[listen]].
[[nodiscard]] ConfigSection upstream_section();
[[nodiscard]] ConfigSection listen_section();
/// The section [broker].
[[nodiscard]] ConfigSection broker_section();

/// Every section there is.
[[nodiscard]] std::span<const ConfigSection> all_sections();
[[nodiscard]] ConfigSection signing_section();
/// The keys that stand before the first section.
[[nodiscard]] std::span<const Key<Config>> top_keys();

/// A piece of the file as a message repeats it.
[[nodiscard]] std::string cited(std::string_view text);
/// What a value is, in the words of a message.
[[nodiscard]] std::string describe(const toml::node& node);
[[nodiscard]] Refusal expected(const toml::node& node, std::string_view what);
/// The same about one element of an array.
[[nodiscard]] Refusal expected_of_each(const toml::node& element, std::string_view what);
/// The end of a message about `word`: empty, or a proposal.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       std::span<const std::string_view> known);
/// The same for `word` as the key of some section; empty if no section knows it.
[[nodiscard]] std::string did_you_mean_in_a_section(std::string_view word);
/// The same about a key: it may be that of another section.
[[nodiscard]] std::string did_you_mean_key(std::string_view word,
                                           std::span<const std::string_view> known);
/// Tells of a key that `section` does not know.
void unknown_key(Input& input, const ConfigSection& section, const toml::key& name);
/// Calls `read` for each table of the array of tables that `node` is to be.
void read_each(Input& input, const ConfigSection& section, const toml::node& node,
               const std::function<void(const toml::table&)>& read);

/// The one of `entries` that is called `name`, or their end.
constexpr auto find_named(const auto& entries, std::string_view name) {
    return std::find_if(std::begin(entries), std::end(entries),
                        [name](const auto& entry) { return entry.name == name; });
}

template <const auto& keys>
constexpr auto names_of = [] {
    std::array<std::string_view, std::size(keys)> names;
    std::transform(std::begin(keys), std::end(keys), names.begin(),
                   [](const auto& key) { return key.name; });
    return names;
}();

/// Sets in `target` what `table` says, which may be one of an array of tables.
template <class Target, std::size_t count>
void read_keys(Input& input, const ConfigSection& section, const toml::table& table,
               const Key<Target> (&keys)[count], Target& target) {
    for (auto&& [name, node] : table) {
        const auto known = find_named(keys, name.str());
        if (known == std::end(keys))
            unknown_key(input, section, name);
        else if (const Verdict refusal = known->set(target, node, input))
            input.fault(refusal->node->source(),
                        fmt::format("{}.{}{}", section.name, known->name, refusal->text));
    }
}

/// Reads one [section] into what `select` picks of the Config.
template <auto select, const auto& keys>
void read_table(Input& input, const ConfigSection& section, const toml::node& node,
                Config& config) {
    if (const toml::table* const table = node.as_table())
        read_keys(input, section, *table, keys, select(config));
    else
        input.fault(node.source(),
                    fmt::format("{0} is {1}, expected a table: [{0}]{2}", section.name,
                                describe(node), did_you_mean_in_a_section(section.name)));
}

template <auto select, const auto& keys>
constexpr ConfigSection table(std::string_view name) {
    return {name, names_of<keys>, read_table<select, keys>};
}

// The setters: each stores in the member `member` of its target.

template <class Owner, class Value>
Owner owner_of(Value Owner::*);
/// The struct whose member `member` points to.
template <auto member>
using Owner = decltype(owner_of(member));

template <auto member>
Verdict flag(Owner<member>& target, const toml::node& node, const Input&) {
    const auto* const value = node.as_boolean();
    if (value == nullptr)
        return expected(node, "true or false");
    target.*member = value->get();
    return std::nullopt;
}

template <auto member, std::int64_t least, std::int64_t most>
Verdict whole_number(Owner<member>& target, const toml::node& node, const Input&) {
    const auto* const value = node.as_integer();
    if (value == nullptr || value->get() < least || value->get() > most)
        return expected(node, fmt::format("a whole number from {} to {}", least, most));
    target.*member = static_cast<std::remove_reference_t<decltype(target.*member)>>(value->get());
    return std::nullopt;
}

template <auto member, int least_milliseconds>
Verdict duration(Owner<member>& target, const toml::node& node, const Input&) {
    const auto* const text = node.as_string();
    const auto value = text == nullptr ? std::nullopt : parse_duration(text->get());
    if (!value || value->count() < least_milliseconds)
        return expected(node, fmt::format("a whole number of ms, s, m or h such as \"30s\", from "
                                          "{}ms to {}h",
                                          least_milliseconds, longest_duration.count()));
    target.*member = *value;
    return std::nullopt;
}

template <class Value>
struct Choice {
    std::string_view name;
    Value value;
};

template <auto member, const auto& choices>
Verdict choice(Owner<member>& target, const toml::node& node, const Input&) {
    std::vector<std::string_view> names;
    std::string list;
    for (const auto& known : choices) {
        if (const auto* const text = node.as_string(); text != nullptr && *text == known.name) {
            target.*member = known.value;
            return std::nullopt;
        }
        names.push_back(known.name);
        list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", known.name);
    }
    Refusal refusal = expected(node, names.size() > 1 ? "one of " + list : list);
    if (const auto* const text = node.as_string())
        refusal.text += did_you_mean(text->get(), names);
    return refusal;
}

/// What one string of an array stands for; the error says what is expected instead. `index`: its
/// place in the array.
using ReadWord = Result<std::string> (*)(const std::string& word, std::size_t index,
                                         const Input& input);

/// The strings of an array, read one by one; `wanted` says what the whole is to be.
[[nodiscard]] std::optional<Refusal> read_words(const toml::node& node, const Input& input,
                                                std::string_view wanted, ReadWord read,
                                                std::vector<std::string>& words);

/// The user IDs of an array.
[[nodiscard]] std::optional<Refusal> read_uids(const toml::node& node, std::vector<uid_t>& uids);

/// A path that begins with "/", "~" or "$".
Result<std::string> read_path(const std::string& word, const Input& input);
/// An address "unix:PATH" with its PATH as read_path() makes it; any other as it is.
Result<std::string> read_address(const std::string& text, const Input& input);
Result<std::string> read_fingerprint(const std::string& word, std::size_t index,
                                     const Input& input);
Result<std::string> read_pattern(const std::string& word, std::size_t index, const Input& input);
Result<std::string> read_text(const std::string& word, std::size_t index, const Input& input);
Result<std::string> read_command_word(const std::string& word, std::size_t index,
                                      const Input& input);

template <auto member>
Verdict patterns(Owner<member>& target, const toml::node& node, const Input& input) {
    return read_words(node, input, "an array of strings such as [\"~/.agents/*.sock\"]",
                      read_pattern, target.*member);
}

template <auto member>
Verdict fingerprints(Owner<member>& target, const toml::node& node, const Input& input) {
    return read_words(node, input, "an array of fingerprints such as [\"SHA256:...\"]",
                      read_fingerprint, target.*member);
}

template <auto member>
Verdict texts(Owner<member>& target, const toml::node& node, const Input& input) {
    return read_words(node, input, "an array of strings that are not empty", read_text,
                      target.*member);
}

template <auto member>
Verdict command(Owner<member>& target, const toml::node& node, const Input& input) {
    constexpr std::string_view wanted = "an array of strings such as [\"npiperelay.exe\", \"-ei\"]";
    if (const toml::array* const array = node.as_array(); array != nullptr && array->empty())
        return expected(node, wanted);
    return read_words(node, input, wanted, read_command_word, target.*member);
}

template <auto member>
Verdict uids(Owner<member>& target, const toml::node& node, const Input&) {
    return read_uids(node, target.*member);
}

template <auto member>
Verdict text(Owner<member>& target, const toml::node& node, const Input&) {
    const auto* const value = node.as_string();
    if (value == nullptr || value->get().find('\0') != std::string::npos)
        return expected(node, "a string without NUL characters");
    target.*member = value->get();
    return std::nullopt;
}

template <auto member>
Verdict path(Owner<member>& target, const toml::node& node, const Input& input) {
    const auto* const text = node.as_string();
    Result<std::string> found =
        text ? read_path(text->get(), input) : Error{"a path such as \"~/agent.sock\""};
    if (!found)
        return expected(node, found.error().message);
    target.*member = std::move(*found);
    return std::nullopt;
}

/// For what is asked for by its presence.
template <auto member>
Verdict only_true(Owner<member>& target, const toml::node& node, const Input&) {
    const auto* const value = node.as_boolean();
    if (value == nullptr || !value->get())
        return expected(node, "true, or no such table");
    target.*member = true;
    return std::nullopt;
}

} // namespace livesock
