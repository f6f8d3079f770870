#include "tools/system_files.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>

namespace livesock {
namespace {

/// Files that include each other are followed so far.
constexpr int deepest_include = 16;

/// Further lines of one file are not told of.
constexpr std::size_t most_lines = 8;

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const std::size_t start = std::min(text.find_first_not_of(blanks), text.size());
    const std::size_t end = text.find_last_not_of(blanks);
    return start == text.size() ? std::string_view() : text.substr(start, end - start + 1);
}

bool is_comment(std::string_view line) {
    return line.empty() || line[0] == '#' || line[0] == ';';
}

/// Calls `see` with each line that says something, until that returns false.
void each_line(const TextFile& file, const std::function<bool(const FileLine&)>& see) {
    std::string_view rest = file.text;
    for (std::int64_t number = 1; !rest.empty(); ++number) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = trimmed(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (!is_comment(line) && !see({file.path, number, std::string(line)}))
            return;
    }
}

/// The next word of `rest`, which is shortened by it. Quotes are taken off.
std::string cut_word(std::string_view& rest, std::string_view separators = " \t\r") {
    rest.remove_prefix(std::min(rest.find_first_not_of(separators), rest.size()));
    const bool is_quoted = rest.starts_with('"');
    const std::size_t from = is_quoted ? 1 : 0;
    const std::size_t end =
        std::min(is_quoted ? rest.find('"', 1) : rest.find_first_of(separators), rest.size());
    const std::string word(rest.substr(std::min(from, end), end - std::min(from, end)));
    rest.remove_prefix(std::min(end + from, rest.size()));
    return word;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// What sshd makes of its keywords: the first value of each counts.
class SshdReader {
  public:
    explicit SshdReader(const Includer& included)
        : included_(included) {}

    void read(const TextFile& file, int depth) {
        each_line(file, [&](const FileLine& line) {
            take(line, depth);
            return !has_matched_;
        });
    }
    std::optional<FileLine> forbidding() const {
        for (const auto& [keyword, line] : first_)
            if (const std::string value = value_of(line);
                (keyword == "allowagentforwarding" && (value == "no" || value == "local")) ||
                (keyword == "disableforwarding" && value == "yes"))
                return line;
        return std::nullopt;
    }

  private:
    static std::string value_of(const FileLine& line) {
        std::string_view rest = line.text;
        static_cast<void>(cut_word(rest, separators));
        return lower(cut_word(rest, separators));
    }
    void take(const FileLine& line, int depth) {
        std::string_view rest = line.text;
        const std::string keyword = lower(cut_word(rest, separators));
        if (keyword == "match") {
            has_matched_ = true;
        } else if (keyword == "include" && depth < deepest_include) {
            while (!trimmed(rest).empty())
                for (const TextFile& file : included_(cut_word(rest))) {
                    read(file, depth + 1);
                    has_matched_ = false; // the block ends with its file
                }
        } else {
            first_.emplace(keyword, line);
        }
    }

    static constexpr std::string_view separators = " \t\r=";
    const Includer& included_;
    std::map<std::string, FileLine> first_;
    bool has_matched_ = false;
};

/// Whether the options before the key, if there are any, keep the agent back.
bool is_restricted(std::string_view line) {
    if (line.starts_with("ssh-") || line.starts_with("ecdsa-") || line.starts_with("sk-"))
        return false;
    bool is_quoted = false;
    std::size_t end = 0;
    for (; end < line.size() && (is_quoted || !contains(" \t", line.substr(end, 1))); ++end)
        if (line[end] == '"')
            is_quoted = !is_quoted;
    const std::string options = "," + lower(std::string(line.substr(0, end))) + ",";
    return contains(options, ",no-agent-forwarding,") ||
           (contains(options, ",restrict,") && !contains(options, ",agent-forwarding,"));
}

bool is_true(std::string_view value) {
    const std::string word = lower(std::string(value));
    return word == "yes" || word == "true" || word == "1" || word == "on" || word == "y" ||
           word == "t";
}

/// What systemd does with a list: it grows with each line, and an empty value is a new beginning.
void add_names(std::vector<std::string>& list, std::string_view value) {
    if (trimmed(value).empty())
        list.clear();
    for (std::string_view rest = value; !trimmed(rest).empty();)
        list.push_back(cut_word(rest));
}

bool has_name(const std::vector<std::string>& list, const std::string& user) {
    return std::find(list.begin(), list.end(), user) != list.end();
}

/// Of sh, fish and csh: what begins, continues or ends a command of several lines.
bool is_shell_keyword(std::string_view word) {
    constexpr std::string_view keywords[] = {
        "if",    "then",     "else",  "elif",   "fi",   "for",    "foreach", "while",
        "until", "do",       "done",  "select", "case", "esac",   "switch",  "end",
        "endif", "function", "begin", "{",      "}",    "breaksw"};
    return std::find(std::begin(keywords), std::end(keywords), word) != std::end(keywords);
}

bool sets_socket(std::string_view line) {
    for (const std::string_view form : {"SSH_AUTH_SOCK=", "setenv SSH_AUTH_SOCK ",
                                        "gnome-keyring-daemon", "ssh-agent", "keychain "})
        if (contains(line, form))
            return true;
    // fish: "set -gx SSH_AUTH_SOCK path"
    return line.starts_with("set -") && contains(line, " SSH_AUTH_SOCK ") && !contains(line, " -e");
}

/// One that asks whether there is an agent, or asks an agent, takes nothing away; and one that was
/// silenced does nothing.
bool is_harmless(std::string_view line) {
    if (line.starts_with(": #"))
        return true;
    for (const std::string_view form :
         {"-z \"$SSH_AUTH_SOCK", "-z \"${SSH_AUTH_SOCK", "-z $SSH_AUTH_SOCK",
          "${SSH_AUTH_SOCK:", "-n \"$SSH_AUTH_SOCK", "livesock", "ssh-agent -k", "pgrep"})
        if (contains(line, form))
            return true;
    return false;
}

} // namespace

std::optional<FileLine> forbidding_line(const TextFile& config, const Includer& included) {
    SshdReader reader(included);
    reader.read(config, 0);
    return reader.forbidding();
}

std::vector<FileLine> restricted_keys(const TextFile& keys) {
    std::vector<FileLine> found;
    each_line(keys, [&](const FileLine& line) {
        if (is_restricted(line.text))
            found.push_back({line.file, line.number, {}});
        return found.size() < most_lines;
    });
    return found;
}

Ageing ageing_of(const std::string& directory, const std::vector<TextFile>& files) {
    Ageing ageing;
    for (const TextFile& file : files)
        each_line(file, [&](const FileLine& line) {
            // type path mode user group age argument
            std::string_view rest = line.text;
            const std::string type = cut_word(rest);
            const std::string path = cut_word(rest);
            for (int i = 0; i < 3; ++i)
                static_cast<void>(cut_word(rest));
            const std::string age = cut_word(rest);
            const bool is_directory = !type.empty() && contains("dDevqQ", type.substr(0, 1));
            if ((type[0] == 'x' || type[0] == 'X') && path.starts_with(directory))
                ageing.kept.push_back(path);
            else if (is_directory && path == directory && !age.empty() && age != "-")
                ageing.lines.push_back(line);
            return true;
        });
    return ageing;
}

std::optional<FileLine> killing_line(const std::string& user, const std::vector<TextFile>& files) {
    std::optional<FileLine> killing;
    std::vector<std::string> spared{"root"}; // KillExcludeUsers, as it is by default
    std::vector<std::string> meant;          // KillOnlyUsers
    for (const TextFile& file : files)
        each_line(file, [&](const FileLine& line) {
            const std::size_t equals = std::min(line.text.find('='), line.text.size());
            const std::string_view key = trimmed(std::string_view(line.text).substr(0, equals));
            std::string_view value = std::string_view(line.text).substr(equals);
            value.remove_prefix(std::min<std::size_t>(1, value.size()));
            if (key == "KillUserProcesses")
                killing = is_true(trimmed(value)) ? std::optional(line) : std::nullopt;
            else if (key == "KillExcludeUsers")
                add_names(spared, value);
            else if (key == "KillOnlyUsers")
                add_names(meant, value);
            return true;
        });
    const bool is_meant = meant.empty() || has_name(meant, user);
    return is_meant && !has_name(spared, user) ? killing : std::nullopt;
}

bool stands_alone(std::string_view line) {
    for (const std::string_view end : {"\\", "|", "&&", "{", "(", ";;"})
        if (line.ends_with(end))
            return false;
    constexpr std::string_view separators = " \t\r;&|()`";
    for (std::string_view rest = line; !trimmed(rest).empty();)
        if (is_shell_keyword(cut_word(rest, separators)))
            return false;
    return true;
}

std::vector<FileLine> rival_lines(const TextFile& file) {
    std::vector<FileLine> found;
    each_line(file, [&](const FileLine& line) {
        if (sets_socket(line.text) && !is_harmless(line.text))
            found.push_back(line);
        return found.size() < most_lines;
    });
    return found;
}

} // namespace livesock
