#include "tools/words.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/nearest.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

bool is_option(const std::string& word) {
    return word.size() > 1 && word.starts_with('-');
}

/// Takes a -q out of `word`, whether it stands alone or with other flags, as in -yq. What is left
/// of the word may be empty.
bool take_quiet(std::string& word) {
    constexpr const char* flags = "cfhqsy"; // all of one letter, of any command
    const bool is_flags = is_option(word) && word.find_first_not_of(flags, 1) == std::string::npos;
    if (word != "--quiet" && (!is_flags || std::erase(word, 'q') == 0))
        return false;
    if (!is_flags || word == "-")
        word.clear();
    return true;
}

} // namespace

Words part_words(std::span<const std::string> words) {
    const auto verb = std::find_if_not(words.begin(), words.end(), is_option);
    if (verb == words.end() || *verb != "run")
        return {{words.begin(), words.end()}, {}};
    const auto foreign = std::find_if(verb + 1, words.end(), [](const std::string& word) {
        return word == "--" || !is_option(word);
    });
    const bool marked = foreign != words.end() && *foreign == "--";
    return {{words.begin(), foreign}, {foreign + (marked ? 1 : 0), words.end()}};
}

OutputWords take_output_words(std::vector<std::string>& own) {
    constexpr std::string_view colour_option = "--color";
    constexpr std::string_view colour_value = "--color=";
    OutputWords taken;
    const auto end = std::find(own.begin(), own.end(), "--");
    std::vector<std::string> left;
    for (auto word = own.begin(); word != end; ++word) {
        const bool is_quiet = take_quiet(*word);
        taken.is_quiet |= is_quiet;
        if (*word == colour_option)
            taken.colour = "always";
        else if (word->starts_with(colour_value))
            taken.colour = word->substr(colour_value.size());
        else if (!is_quiet || !word->empty())
            left.push_back(*word);
    }
    own.erase(std::move(left.begin(), left.end(), own.begin()), end);
    return taken;
}

std::string unknown_word(std::string_view kind, std::string_view word,
                         std::span<const std::string_view> known, std::string_view help) {
    const std::string_view meant = nearest(word.substr(0, word.find('=')), known);
    const std::string what = fmt::format("unknown {} '{}'", kind, escaped(word));
    return meant.empty() ? fmt::format("{}: see '{}'", what, help)
                         : fmt::format("{}: did you mean '{}'?", what, meant);
}

} // namespace livesock
