#include "supervisor/upstream/forwarded_path.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/unix_socket.hpp"

namespace livesock {
namespace {

/// Whether `name` is `prefix`, one or more characters, `middle`, and one or more characters.
bool is_like(std::string_view name, std::string_view prefix, std::string_view middle) {
    if (!name.starts_with(prefix))
        return false;
    name.remove_prefix(prefix.size());
    const std::size_t found = name.find(middle, 1);
    return found != std::string_view::npos && found + middle.size() < name.size();
}

bool begins_like(std::string_view name, std::string_view prefix) {
    return name.size() > prefix.size() && name.starts_with(prefix);
}

/// What follows `directory` and a slash in `path`, if it does and the directory is known.
std::optional<std::string_view> below(std::string_view directory, std::string_view path) {
    if (directory.empty() || !path.starts_with(directory))
        return std::nullopt;
    path.remove_prefix(directory.size());
    if (!path.starts_with('/'))
        return std::nullopt;
    return path.substr(1);
}

} // namespace

std::optional<ForwardedPath> parse_forwarded(const ForwardedPlaces& places, std::string_view path) {
    constexpr std::string_view code = "vscode-ssh-auth-";
    if (path.size() > longest_socket_path || has_control_characters(path) ||
        path.ends_with(aside_suffix))
        return std::nullopt;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos)
        return std::nullopt;
    const std::string_view name = path.substr(slash + 1);
    const auto in = [&](PlaceKind kind) {
        return ForwardedPath{kind, std::string(path.substr(0, slash)), std::string(name)};
    };
    if (const auto rest = below(places.tmp, path)) {
        if (*rest == name && begins_like(name, code))
            return in(PlaceKind::shared);
        if (is_like(*rest, "ssh-", "/agent.") && rest->find('/') == rest->rfind('/'))
            return in(PlaceKind::session);
    }
    if (const auto rest =
            places.home.empty() ? std::nullopt : below(places.home + "/.ssh/agent", path);
        rest && *rest == name && is_like(name, "s.", ".sshd."))
        return in(PlaceKind::kept);
    if (const auto rest = below(places.runtime, path);
        rest && *rest == name && begins_like(name, code))
        return in(PlaceKind::kept);
    return std::nullopt;
}

} // namespace livesock
