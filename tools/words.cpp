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
    const auto left = std::remove_if(own.begin(), end, [&](const std::string& word) {
        const bool is_quiet = word == "-q" || word == "--quiet";
        const bool has_value = word.starts_with(colour_value);
        taken.is_quiet |= is_quiet;
        if (word == colour_option)
            taken.colour = "always";
        else if (has_value)
            taken.colour = word.substr(colour_value.size());
        return is_quiet || has_value || word == colour_option;
    });
    own.erase(left, end);
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
