// Paths with wildcards, matched one component at a time as directories come and go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace livesock {

/// An absolute path whose components may contain glob(7) wildcards.
class PathPattern {
  public:
    /// `pattern` must be absolute and end in a name; empty components are ignored.
    explicit PathPattern(std::string_view pattern);

    /// How many components there are; the last names the socket, those before it directories.
    std::size_t size() const { return components_.size(); }
    bool is_last(std::size_t level) const { return level + 1 == size(); }

    /// Whether component `level` is a plain name: a directory on the user's own word.
    bool is_literal(std::size_t level) const { return components_[level].is_literal; }

    /// Whether `name` fits component `level`. Names with control characters never do, hidden names
    /// only where the pattern says the dot.
    bool matches(std::size_t level, std::string_view name) const;

    /// Whether all of `path`, which is absolute, fits.
    bool matches_path(std::string_view path) const;

    /// The directory that the first `levels` components name, which must be literal.
    std::string directory(std::size_t levels) const;

  private:
    struct Component {
        std::string text;
        std::string literal_prefix; // what every name that fits begins with
        bool is_literal = false;
    };
    std::vector<Component> components_;
};

} // namespace livesock
