#include "supervisor/base/escape.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

/// Whether a character that is valid otherwise makes text look like another: it changes the writing
/// direction, has no width, or ends a line (Unicode Standard Annex 9; U+061C, U+200B to U+200F,
/// U+2028 to U+202E, U+2060 to U+206F, U+FEFF).
bool reorders(std::string_view character) {
    const auto within = [&](std::string_view first, std::string_view last) {
        return character >= first && character <= last && character.size() == first.size();
    };
    return character == "\xd8\x9c" || within("\xe2\x80\x8b", "\xe2\x80\x8f") ||
           within("\xe2\x80\xa8", "\xe2\x80\xae") || within("\xe2\x81\xa0", "\xe2\x81\xaf") ||
           character == "\xef\xbb\xbf";
}

/// The length of the printable UTF-8 character at the start of `text`, 0 if there is none.
/// Overlong forms, surrogates and the C1 controls (which terminals obey) count as none.
std::size_t printable_prefix(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f ? 1 : 0;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80)
            return 0;
    const unsigned char second = byte(1);
    const bool refused = (first == 0xc2 && second < 0xa0) || (first == 0xe0 && second < 0xa0) ||
                         (first == 0xed && second >= 0xa0) || (first == 0xf0 && second < 0x90) ||
                         (first == 0xf4 && second >= 0x90);
    return refused || reorders(text.substr(0, length)) ? 0 : length;
}

enum class Backslash { escaped, kept };

std::string safe(std::string_view text, std::size_t limit, Backslash backslash) {
    std::string out;
    out.reserve(text.size() < limit ? text.size() : limit);
    while (!text.empty()) {
        if (out.size() >= limit)
            return out + "...";
        const std::size_t length = printable_prefix(text);
        const char c = text[0];
        if (length > 0 && (c != '\\' || backslash == Backslash::kept))
            out += text.substr(0, length);
        else if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (c == '\\')
            out += "\\\\";
        else
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        text.remove_prefix(length > 0 ? length : 1);
    }
    return out;
}

} // namespace

std::string escaped(std::string_view text, std::size_t limit) {
    return safe(text, limit, Backslash::escaped);
}

std::string printable(std::string_view text) {
    return safe(text, std::string_view::npos, Backslash::kept);
}

bool has_control_characters(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

} // namespace livesock
