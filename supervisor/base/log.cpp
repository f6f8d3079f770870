#include "supervisor/base/log.hpp"

#include <cerrno>
#include <ctime>
#include <string>

#include <unistd.h>

namespace livesock::log {
namespace {

// One process, one thread, one log: the only mutable globals of the project.
Level current_level = Level::info;
Style current_style = Style::plain;

struct LevelName {
    Level level;
    std::string_view name;
    int priority; // syslog(3)
};
constexpr LevelName level_names[] = {
    {Level::error, "error", 3},
    {Level::warning, "warning", 4},
    {Level::info, "info", 6},
    {Level::debug, "debug", 7},
};

const LevelName& name_of(Level level) {
    return level_names[static_cast<std::size_t>(level)];
}

std::string timestamp() {
    std::timespec now{};
    std::timespec_get(&now, TIME_UTC);
    std::tm local{};
    ::localtime_r(&now.tv_sec, &local);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof text, "%F %T", &local);
    return fmt::format("{}.{:03}", std::string_view(text, length), now.tv_nsec / 1000000);
}

std::string prefix(Level level) {
    switch (current_style) {
    case Style::plain:
        return level == Level::info ? "livesockd: "
                                    : fmt::format("livesockd: {}: ", name_of(level).name);
    case Style::timestamp:
        return fmt::format("{} {}: ", timestamp(), name_of(level).name);
    case Style::journal:
        return fmt::format("<{}>", name_of(level).priority);
    }
    return {};
}

} // namespace

void set_level(Level level) {
    current_level = level;
}

void set_style(Style style) {
    current_style = style;
}

std::optional<Level> parse_level(std::string_view name) {
    for (const LevelName& known : level_names)
        if (known.name == name)
            return known.level;
    return std::nullopt;
}

bool enabled(Level level) {
    return level <= current_level;
}

void write(Level level, std::string_view text) {
    if (!enabled(level))
        return;
    const int saved = errno;
    std::string line = prefix(level);
    line += text;
    line += '\n';
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    errno = saved;
}

} // namespace livesock::log
