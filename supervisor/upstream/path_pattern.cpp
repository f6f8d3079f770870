#include "supervisor/upstream/path_pattern.hpp"

#include "supervisor/base/escape.hpp"

#include <fnmatch.h>

namespace livesock {
namespace {

/// What stands before the first slash of `path`, which is shortened by both.
std::string_view cut_component(std::string_view& path) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return component;
}

} // namespace

PathPattern::PathPattern(std::string_view pattern) {
    while (!pattern.empty()) {
        const std::string_view text = cut_component(pattern);
        if (text.empty())
            continue;
        const std::size_t wildcard = text.find_first_of("*?[\\");
        components_.push_back({.text = std::string(text),
                               .literal_prefix = std::string(text.substr(0, wildcard)),
                               .is_literal = wildcard == std::string_view::npos});
    }
}

bool PathPattern::matches(std::size_t level, std::string_view name) const {
    const Component& component = components_[level];
    if (component.is_literal)
        return name == component.text;
    // On a busy /tmp nearly every name ends here.
    if (!name.starts_with(component.literal_prefix) || has_control_characters(name))
        return false;
    return ::fnmatch(component.text.c_str(), std::string(name).c_str(), FNM_PERIOD) == 0;
}

bool PathPattern::matches_path(std::string_view path) const {
    std::size_t level = 0;
    while (!path.empty()) {
        const std::string_view name = cut_component(path);
        if (name.empty())
            continue;
        if (level == size() || !matches(level, name))
            return false;
        ++level;
    }
    return level == size();
}

std::string PathPattern::directory(std::size_t levels) const {
    std::string path;
    for (std::size_t i = 0; i < levels; ++i)
        path += '/' + components_[i].text;
    return path.empty() ? "/" : path;
}

} // namespace livesock
