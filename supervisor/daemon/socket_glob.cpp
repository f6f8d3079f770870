#include "supervisor/daemon/socket_glob.hpp"

namespace livesock {
namespace {

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

/// `path` behind `directory`, the home directory in the notation that is asked for, if it begins
/// with "~/".
Result<std::string> with_home(std::string_view path, const std::string& directory) {
    if (path.starts_with("~/")) {
        if (directory.starts_with('/'))
            return directory + std::string(path.substr(1));
        return Error{"an absolute path, for the home directory is not known"};
    }
    if (path.starts_with('~'))
        return Error{
            "an absolute path: of all '~' only \"~/\", the own home directory, is replaced"};
    if (!path.starts_with('/'))
        return Error{"an absolute path, or one that begins with \"~/\""};
    return std::string(path);
}

} // namespace

std::string literal_glob(std::string_view path) {
    std::string pattern;
    for (const char c : path) {
        if (std::string_view("*?[\\").find(c) != std::string_view::npos)
            pattern += '\\';
        pattern += c;
    }
    return pattern;
}

Result<std::string> absolute_glob(std::string_view pattern, const std::string& home) {
    if (pattern.find('\0') != std::string_view::npos)
        return Error{"a path without NUL characters"};
    if (has_variable(pattern))
        return Error{"a path without variables, which are not replaced (a dollar sign is '\\$')"};
    if (pattern.ends_with('/'))
        return Error{"a path that ends in the name of a socket"};
    return with_home(pattern, literal_glob(home));
}

Result<std::string> absolute_path(std::string_view path, const std::string& home) {
    if (path.find('\0') != std::string_view::npos)
        return Error{"a path without NUL characters"};
    if (path.find('$') != std::string_view::npos)
        return Error{"a path without variables, which are not replaced"};
    if (path.find_first_of("*?[") != std::string_view::npos)
        return Error{"a path without wildcards (patterns are for discovery.globs)"};
    if (path.ends_with('/'))
        return Error{"a path that does not end in '/'"};
    return with_home(path, home);
}

} // namespace livesock
