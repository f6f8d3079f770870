#include "supervisor/daemon/config_reader.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/nearest.hpp"
#include "supervisor/daemon/socket_glob.hpp"

namespace livesock {
namespace {

constexpr std::int64_t highest_uid = 0xffff'fffe; // the one above means "none"

/// The longest piece of the file that a message repeats.
constexpr std::size_t longest_quote = 64;

/// A program as a path, or as a name that is looked up.
Result<std::string> program(const std::string& word, const std::string& home) {
    if (word.empty())
        return Error{"the name of a program"};
    if (word.find('/') == std::string::npos && word.find_first_of("$~") == std::string::npos)
        return word;
    return absolute_path(word, home);
}

} // namespace

std::string cited(std::string_view text) {
    return escaped(text, longest_quote);
}

std::string describe(const toml::node& node) {
    if (const auto* text = node.as_string())
        return fmt::format("\"{}\"", cited(text->get()));
    if (const auto* number = node.as_integer())
        return fmt::format("{}", number->get());
    if (const auto* flag = node.as_boolean())
        return flag->get() ? "true" : "false";
    if (node.is_table())
        return "a table";
    if (node.is_array_of_tables())
        return "an array of tables";
    if (const toml::array* const array = node.as_array())
        return array->empty() ? "an empty array" : "an array";
    return node.is_floating_point() ? "a fraction" : "a date or time";
}

Refusal expected(const toml::node& node, std::string_view what) {
    return {&node, fmt::format(" is {}, expected {}", describe(node), what)};
}

Refusal expected_of_each(const toml::node& element, std::string_view what) {
    return {&element, fmt::format(" has {} in it, expected {}", describe(element), what)};
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
    const std::string_view meant = nearest(word, known);
    return meant.empty() ? std::string() : fmt::format("; did you mean '{}'?", meant);
}

std::string did_you_mean_in_a_section(std::string_view word) {
    for (const ConfigSection& section : all_sections())
        if (std::find(section.keys.begin(), section.keys.end(), word) != section.keys.end())
            return fmt::format("; did you mean '{}.{}'?", section.name, word);
    return {};
}

std::string did_you_mean_key(std::string_view word, std::span<const std::string_view> known) {
    const std::span<const Key<Config>> keys = top_keys();
    if (find_named(keys, word) != keys.end())
        return fmt::format("; '{}' stands before the first table", word);
    const std::string elsewhere = did_you_mean_in_a_section(word);
    return elsewhere.empty() ? did_you_mean(word, known) : elsewhere;
}

void unknown_key(Input& input, const ConfigSection& section, const toml::key& name) {
    input.fault(name.source(),
                fmt::format("unknown key '{}' in [{}], expected one of {}{}", cited(name.str()),
                            section.name, fmt::join(section.keys, ", "),
                            did_you_mean_key(name.str(), section.keys)));
}

void read_each(Input& input, const ConfigSection& section, const toml::node& node,
               const std::function<void(const toml::table&)>& read) {
    const toml::array* const tables = node.as_array();
    if (tables == nullptr) {
        input.fault(node.source(), fmt::format("{0} is {1}, expected an array of tables: [[{0}]]",
                                               section.name, describe(node)));
        return;
    }
    for (const toml::node& element : *tables)
        if (const toml::table* const table = element.as_table())
            read(*table);
        else
            input.fault(element.source(),
                        fmt::format("{0} has {1} in it, expected an array of tables: [[{0}]]",
                                    section.name, describe(element)));
}

std::optional<Refusal> read_words(const toml::node& node, const Input& input,
                                  std::string_view wanted, ReadWord read,
                                  std::vector<std::string>& words) {
    const toml::array* const array = node.as_array();
    if (array == nullptr)
        return expected(node, wanted);
    std::vector<std::string> found;
    for (const toml::node& element : *array) {
        const auto* const text = element.as_string();
        Result<std::string> word =
            text ? read(text->get(), found.size(), input) : Error{std::string(wanted)};
        if (!word)
            return expected_of_each(element, word.error().message);
        found.push_back(std::move(*word));
    }
    words = std::move(found);
    return std::nullopt;
}

std::optional<Refusal> read_uids(const toml::node& node, std::vector<uid_t>& uids) {
    constexpr std::string_view wanted = "an array of user IDs such as [1000]";
    const toml::array* const array = node.as_array();
    if (array == nullptr)
        return expected(node, wanted);
    std::vector<uid_t> found;
    for (const toml::node& element : *array) {
        const auto* const uid = element.as_integer();
        if (uid == nullptr || uid->get() < 0 || uid->get() > highest_uid)
            return expected_of_each(element, wanted);
        found.push_back(static_cast<uid_t>(uid->get()));
    }
    uids = std::move(found);
    return std::nullopt;
}

Result<std::string> read_path(const std::string& word, const Input& input) {
    return absolute_path(word, input.home);
}

Result<std::string> read_pattern(const std::string& word, std::size_t, const Input& input) {
    return absolute_glob(word, input.home);
}

Result<std::string> read_address(const std::string& text, const Input& input) {
    constexpr std::string_view unix_prefix = "unix:";
    if (!text.starts_with(unix_prefix))
        return text;
    const Result<std::string> path = read_path(text.substr(unix_prefix.size()), input);
    if (!path)
        return path.error();
    return std::string(unix_prefix) + *path;
}

Result<std::string> read_fingerprint(const std::string& word, std::size_t, const Input&) {
    if (!is_fingerprint(word))
        return Error{"fingerprints as 'livesock list' shows them, \"SHA256:...\""};
    return word;
}

Result<std::string> read_text(const std::string& word, std::size_t, const Input&) {
    if (word.empty())
        return Error{"an array of strings that are not empty"};
    return word;
}

Result<std::string> read_command_word(const std::string& word, std::size_t index,
                                      const Input& input) {
    if (word.find('\0') != std::string::npos)
        return Error{"words without NUL characters"};
    return index == 0 ? program(word, input.home) : word;
}

} // namespace livesock
