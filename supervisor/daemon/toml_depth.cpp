#include "supervisor/daemon/toml_depth.hpp"

#include <algorithm>

namespace livesock {

std::optional<TextPosition> find_deep_key(std::string_view text) {
    TextPosition here;
    int dots = 0;
    std::string_view closing; // of the string or comment that we are in
    while (!text.empty()) {
        std::size_t step = 1;
        if (!closing.empty()) {
            if (text.starts_with(closing)) {
                // Up to two quotes of its own may precede the three that end a string.
                step = closing.size();
                while (closing.size() == 3 && step < 5 && text.substr(step).starts_with(closing[0]))
                    ++step;
                closing = {};
            } else if (closing.size() == 1 && text[0] == '\n') {
                closing = {}; // a string that is not ended: the parser will say so
            } else if (closing[0] == '"' && text[0] == '\\') {
                step = 2;
            }
        } else if (text[0] == '#') {
            closing = "\n";
        } else if (text[0] == '"' || text[0] == '\'') {
            const std::string_view triple = text[0] == '"' ? "\"\"\"" : "'''";
            closing = text.starts_with(triple) ? triple : triple.substr(0, 1);
            step = closing.size();
        } else if (text[0] == '.' && ++dots > most_dots_in_key) {
            return here;
        } else if (std::string_view("=,[]{}\n").find(text[0]) != std::string_view::npos) {
            dots = 0;
        }
        for (const char c : text.substr(0, step))
            here = c == '\n' ? TextPosition{here.line + 1, 1}
                             : TextPosition{here.line, here.column + 1};
        text.remove_prefix(std::min(step, text.size()));
    }
    return std::nullopt;
}

} // namespace livesock
