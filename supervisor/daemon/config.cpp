#include "supervisor/daemon/config.hpp"

#include "supervisor/base/clock.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/nearest.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/base/runtime_dir.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

// toml++ is compiled in rather than linked: its shared library needs libstdc++.so, which costs more
// memory and start-up time than all the rest of the supervisor. Without exceptions it has nothing
// to throw but bad_alloc. Its assertions are off, as 3.3 asserts what a file may well violate
// ("[?]"); with NDEBUG and clang it would even have the optimiser rely on them.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ASSERT(claim) static_cast<void>(0)
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

// How a configuration is read. A Section is a table of the file, with the member of Config that it
// fills and the Keys it knows; a Key is a name and a Setter. A Setter stores a value that is right,
// or returns how the line about it goes on: "probe.interval" + " is 5, expected a duration". All
// that is wrong is collected, because toml++ hands out its tables sorted by name; what comes first
// in the file is told.

namespace livesock {
namespace {

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

struct Input {
    const std::string& home;
    std::vector<Fault> faults;

    void fault(const toml::source_region& where, std::string text) {
        faults.push_back({where.begin, std::move(text)});
    }
};

template <class Target>
struct Key {
    std::string_view name;
    Verdict (*set)(Target&, const toml::node&, const Input&);
};

/// The longest piece of the file that a message repeats.
constexpr std::size_t longest_quote = 64;

std::string quoted(std::string_view text) {
    return escaped(text, longest_quote);
}

std::string describe(const toml::node& node) {
    if (const auto* text = node.as_string())
        return fmt::format("\"{}\"", quoted(text->get()));
    if (const auto* number = node.as_integer())
        return fmt::format("{}", number->get());
    if (const auto* flag = node.as_boolean())
        return flag->get() ? "true" : "false";
    if (node.is_table())
        return "a table";
    if (node.is_array_of_tables())
        return "an array of tables";
    if (node.is_array())
        return "an array";
    return node.is_floating_point() ? "a fraction" : "a date or time";
}

Refusal expected(const toml::node& node, std::string_view what) {
    return {&node, fmt::format(" is {}, expected {}", describe(node), what)};
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
    const std::string_view meant = nearest(word, known);
    return meant.empty() ? std::string() : fmt::format("; did you mean '{}'?", meant);
}

// The setters.

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

/// `path` as a glob(7) pattern that matches it and nothing else.
std::string literal_pattern(std::string_view path) {
    std::string pattern;
    for (const char c : path) {
        if (std::string_view("*?[\\").find(c) != std::string_view::npos)
            pattern += '\\';
        pattern += c;
    }
    return pattern;
}

/// Whether a shell would replace something behind a "$" of `pattern`; a "\$" is a dollar sign.
bool has_variable(std::string_view pattern) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\')
            ++i;
        else if (pattern[i] == '$')
            return true;
    }
    return false;
}

/// Why `pattern` is refused, empty if it is not.
std::string_view pattern_refusal(std::string_view pattern, const std::string& home) {
    if (pattern.find('\0') != std::string_view::npos)
        return "a path without NUL characters";
    if (has_variable(pattern))
        return "a path without variables, which are not replaced (a dollar sign is '\\\\$')";
    if (pattern.starts_with("~/"))
        return home.starts_with('/') ? "" : "an absolute path, for the home directory is not known";
    if (pattern.starts_with('~'))
        return "an absolute path: of all '~' only \"~/\", the own home directory, is replaced";
    return pattern.starts_with('/') ? "" : "an absolute path, or one that begins with \"~/\"";
}

template <auto member>
Verdict patterns(Owner<member>& target, const toml::node& node, const Input& input) {
    constexpr std::string_view wanted = "an array of strings such as [\"~/.agents/*.sock\"]";
    const toml::array* const array = node.as_array();
    if (array == nullptr)
        return expected(node, wanted);
    std::vector<std::string> found;
    for (const toml::node& element : *array) {
        if (!element.is_string())
            return Refusal{&element,
                           fmt::format(" has {} in it, expected {}", describe(element), wanted)};
        const std::string& pattern = element.as_string()->get();
        if (const std::string_view why = pattern_refusal(pattern, input.home); !why.empty())
            return Refusal{&element,
                           fmt::format(" has {} in it, expected {}", describe(element), why)};
        found.push_back(pattern.starts_with('~') ? literal_pattern(input.home) + pattern.substr(1)
                                                 : pattern);
    }
    target.*member = std::move(found);
    return std::nullopt;
}

// The keys.

constexpr Choice<SelectionPolicy> policies[] = {
    {"newest", SelectionPolicy::newest},
};

constexpr Choice<log::Level> levels[] = {
    {"error", log::Level::error},
    {"warning", log::Level::warning},
    {"info", log::Level::info},
    {"debug", log::Level::debug},
};

constexpr Key<DiscoverySettings> discovery_keys[] = {
    {"forwarded", flag<&DiscoverySettings::forwarded>},
    {"globs", patterns<&DiscoverySettings::globs>},
};

constexpr Key<ProbeSettings> probe_keys[] = {
    {"interval", duration<&ProbeSettings::interval, 1>},
    {"timeout", duration<&ProbeSettings::timeout, 1>},
    {"hung_after", duration<&ProbeSettings::hung_after, 1>},
};

constexpr Key<SelectionSettings> selection_keys[] = {
    {"policy", choice<&SelectionSettings::policy, policies>},
};

constexpr Key<ProxySettings> proxy_keys[] = {
    {"grace", duration<&ProxySettings::grace, 0>},
    {"list_timeout", duration<&ProxySettings::list_timeout, 1>},
    {"sign_timeout", duration<&ProxySettings::sign_timeout, 1>},
    {"max_clients", whole_number<&ProxySettings::max_clients, 1, 1'000'000>},
};

constexpr Key<Config> log_keys[] = {
    {"level", choice<&Config::log_level, levels>},
};

// The sections.

struct Section {
    std::string_view name;
    std::span<const std::string_view> keys;
    void (*read)(Input&, const Section&, const toml::node&, Config&);
};

template <const auto& keys>
constexpr auto names_of = [] {
    std::array<std::string_view, std::size(keys)> names;
    std::transform(std::begin(keys), std::end(keys), names.begin(),
                   [](const auto& key) { return key.name; });
    return names;
}();

/// The one of `entries` that is called `name`, or their end.
constexpr auto find_named(const auto& entries, std::string_view name) {
    return std::find_if(std::begin(entries), std::end(entries),
                        [name](const auto& entry) { return entry.name == name; });
}

/// did_you_mean(), or the key of that very name in another section.
std::string did_you_mean_key(std::string_view word, std::span<const std::string_view> known);

/// Sets in `target` what `table` says; an array of tables is read by one call an element.
template <class Target, std::size_t count>
void read_keys(Input& input, const Section& section, const toml::table& table,
               const Key<Target> (&keys)[count], Target& target) {
    for (auto&& [name, node] : table) {
        const auto known = find_named(keys, name.str());
        if (known == std::end(keys))
            input.fault(name.source(),
                        fmt::format("unknown key '{}' in [{}], expected one of {}{}",
                                    quoted(name.str()), section.name, fmt::join(section.keys, ", "),
                                    did_you_mean_key(name.str(), section.keys)));
        else if (const Verdict refusal = known->set(target, node, input))
            input.fault(refusal->node->source(),
                        fmt::format("{}.{}{}", section.name, known->name, refusal->text));
    }
}

Config& whole(Config& config) {
    return config;
}
template <auto member>
auto& part(Config& config) {
    return config.*member;
}

/// Reads one [section] into what `select` picks of the Config.
template <auto select, const auto& keys>
void read_table(Input& input, const Section& section, const toml::node& node, Config& config) {
    if (const toml::table* const table = node.as_table())
        read_keys(input, section, *table, keys, select(config));
    else
        input.fault(node.source(), fmt::format("{0} is {1}, expected a table: [{0}]", section.name,
                                               describe(node)));
}

template <auto select, const auto& keys>
constexpr Section table(std::string_view name) {
    return {name, names_of<keys>, read_table<select, keys>};
}

constexpr Section sections[] = {
    table<part<&Config::discovery>, discovery_keys>("discovery"),
    table<part<&Config::probe>, probe_keys>("probe"),
    table<part<&Config::selection>, selection_keys>("selection"),
    table<part<&Config::proxy>, proxy_keys>("proxy"),
    table<whole, log_keys>("log"),
};

std::string did_you_mean_key(std::string_view word, std::span<const std::string_view> known) {
    for (const Section& section : sections)
        if (std::find(section.keys.begin(), section.keys.end(), word) != section.keys.end())
            return fmt::format("; did you mean '{}.{}'?", section.name, word);
    return did_you_mean(word, known);
}

void unknown_section(Input& input, const toml::key& name, const toml::node& node) {
    const bool is_table = node.is_table() || node.is_array_of_tables();
    input.fault(name.source(), fmt::format("unknown {} '{}', expected one of the tables {}{}",
                                           is_table ? "table" : "key", quoted(name.str()),
                                           fmt::join(names_of<sections>, ", "),
                                           did_you_mean_key(name.str(), names_of<sections>)));
}

/// What can be wrong with values that are right each by itself.
void check_together(Input& input, const toml::table& root, const Config& config) {
    const auto given = [&](std::string_view section, std::string_view key) {
        return root[section][key].node();
    };
    if (config.probe.hung_after < config.probe.timeout) {
        const toml::node* const hung_after = given("probe", "hung_after");
        const toml::node* const node = hung_after ? hung_after : given("probe", "timeout");
        input.fault(node->source(), fmt::format("probe.hung_after is {}, expected no less than "
                                                "probe.timeout, which is {}",
                                                format_duration(config.probe.hung_after),
                                                format_duration(config.probe.timeout)));
    }
}

/// What toml++ says, "Error while parsing <where>: <what>", as the end of a line. It has written
/// most of what is not printable as "\\n" or "\\u..." itself: those backslashes stay single.
std::string reworded(std::string_view description) {
    constexpr std::string_view opening = "Error while parsing ";
    if (description.starts_with(opening))
        description.remove_prefix(opening.size());
    const std::string_view scope = description.substr(0, description.find(':'));

    std::string text = "this is not TOML: ";
    for (std::size_t backslash = description.find('\\'); backslash != std::string_view::npos;
         backslash = description.find('\\')) {
        text += escaped(description.substr(0, backslash)) + '\\';
        description.remove_prefix(backslash + 1);
    }
    text += escaped(description);

    // 30s is taken for a number gone wrong, ~/path for no value at all.
    for (const std::string_view kind :
         {"value", "integer", "floating-point", "date", "time", "boolean"})
        if (scope.ends_with(kind))
            return text + " (text and durations stand in quotes, as in \"30s\")";
    return text;
}

Error located(const std::string& file, toml::source_position where, std::string_view text) {
    return Error{fmt::format("{}:{}:{}: {}", escaped(file), where.line, where.column, text)};
}

/// What toml++ 3.3 must not see, if `text` has it; at the first error of syntax it stops, and so
/// does what is certain here. It recurses once for each part of a dotted key (half a megabyte of
/// "a.a.a." ends the stack), and a letter that is not ASCII, where white space might stand (which
/// is also after a backslash in a multi-line string), leads it to a point it holds to be
/// unreachable.
std::optional<Fault> beyond_parser(std::string_view text) {
    constexpr int most_dots = 16;
    toml::source_position here{1, 1};
    int dots = 0;
    char closing = 0; // of the string or comment that we are in
    if (text.starts_with("\xef\xbb\xbf"))
        text.remove_prefix(3);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (closing != 0) {
            if (c == closing || c == '\n')
                closing = 0;
            else if (closing == '"' && c == '\\' && text.substr(i + 1, 1) != "\n")
                ++i, ++here.column;
        } else if (c == '#') {
            closing = '\n';
        } else if (c == '"' || c == '\'') {
            if (text.substr(i, 3) == std::string(3, c))
                return Fault{here, "a string of several lines, expected one of a single line"};
            closing = c;
        } else if (static_cast<unsigned char>(c) >= 0x80) {
            return Fault{here, "a letter that is not ASCII, expected it in a quoted string only"};
        } else if (c == '.' && ++dots > most_dots) {
            return Fault{here, "a key of too many parts, expected TABLE.KEY"};
        } else if (std::string_view("=,[]{}").find(c) != std::string_view::npos) {
            dots = 0;
        }
        if (c == '\n') {
            here = {here.line + 1, 1};
            dots = 0;
        } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
            ++here.column;
        }
    }
    return std::nullopt;
}

Result<std::string> read_file(const std::string& path) {
    const std::string what = fmt::format("cannot read the configuration '{}'", escaped(path));
    // O_NONBLOCK: the open of a fifo would wait for its writer.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd)
        return system_error(what, errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        return system_error(what, errno);
    if (!S_ISREG(status.st_mode))
        return Error{what + ": it is not a regular file", EINVAL};
    if (!is_trusted_uid(status.st_uid))
        return Error{
            fmt::format("{}: it belongs to uid {}, expected you or root", what, status.st_uid),
            EPERM};
    if ((status.st_mode & S_IWOTH) != 0)
        return Error{
            fmt::format("{0}: everybody may write to it: chmod o-w '{1}'", what, escaped(path)),
            EPERM};
    std::string text;
    char chunk[4096];
    while (text.size() <= largest_config) {
        const ssize_t count = ::read(fd.get(), chunk, sizeof chunk);
        if (count < 0 && errno != EINTR)
            return system_error(what, errno);
        if (count == 0)
            break;
        text.append(chunk, count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    return text;
}

} // namespace

Result<Config> parse_config(std::string_view text, const std::string& file,
                            const std::string& home) {
    if (text.size() > largest_config)
        return located(file, {1, 1}, fmt::format("larger than {} bytes", largest_config));
    if (const auto fault = beyond_parser(text))
        return located(file, fault->where, fault->text);
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed)
        return located(file, parsed.error().source().begin, reworded(parsed.error().description()));

    const toml::table& root = parsed.table();
    Input input{home, {}};
    Config config;
    for (auto&& [name, node] : root) {
        const auto known = find_named(sections, name.str());
        if (known == std::end(sections))
            unknown_section(input, name, node);
        else
            known->read(input, *known, node, config);
    }
    if (input.faults.empty())
        check_together(input, root, config);
    if (input.faults.empty())
        return config;
    const Fault& first =
        *std::min_element(input.faults.begin(), input.faults.end(),
                          [](const Fault& a, const Fault& b) { return a.where < b.where; });
    return located(file, first.where, first.text);
}

Result<Config> load_config(const std::string& path, bool must_exist) {
    if (path.empty() && !must_exist)
        return Config{};
    const Result<std::string> text = read_file(path);
    if (text)
        return parse_config(*text, path, directory_inputs().home);
    const bool missing = text.error().code == ENOENT || text.error().code == ENOTDIR;
    if (missing && !must_exist)
        return Config{};
    return text.error();
}

std::string default_config_path() {
    constexpr std::string_view rest = "/livesock/livesock.toml";
    // A relative one is to be ignored (XDG Base Directory Specification).
    if (std::string base = environment("XDG_CONFIG_HOME"); base.starts_with('/'))
        return base.append(rest);
    const std::string home = directory_inputs().home;
    return home.empty() ? std::string() : home + "/.config" + std::string(rest);
}

} // namespace livesock
