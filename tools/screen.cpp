#include "tools/screen.hpp"

#include <cerrno>
#include <string_view>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace livesock {
namespace {

// Control sequences of ECMA-48 and of xterm, which all terminals in use know. The last two have the
// terminal show a frame as a whole; those that do not know them ignore them.
constexpr std::string_view alternate_screen = "\033[?1049h";
constexpr std::string_view normal_screen = "\033[?1049l";
constexpr std::string_view hide_cursor = "\033[?25l";
constexpr std::string_view show_cursor = "\033[?25h";
constexpr std::string_view home = "\033[H";
constexpr std::string_view erase_to_end_of_line = "\033[K";
constexpr std::string_view erase_below = "\033[J";
constexpr std::string_view begin_frame = "\033[?2026h";
constexpr std::string_view end_frame = "\033[?2026l";

void write_all(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(STDOUT_FILENO, text.data(), text.size());
        if (count < 0 && errno == EAGAIN) {
            pollfd entry{STDOUT_FILENO, POLLOUT, 0};
            ::poll(&entry, 1, -1);
        } else if (count < 0 && errno != EINTR) {
            return; // the terminal is gone: SIGHUP is on its way
        }
        if (count > 0)
            text.remove_prefix(static_cast<std::size_t>(count));
    }
}

} // namespace

Screen::Screen() {
    has_input_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (has_input_) {
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        ::tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
    }
    write_all(std::string(alternate_screen) + std::string(hide_cursor));
}

Screen::~Screen() {
    write_all(std::string(show_cursor) + std::string(normal_screen));
    if (has_input_)
        ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

void Screen::draw(const std::vector<std::string>& lines) const {
    std::string frame(begin_frame);
    frame += home;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        frame += i > 0 ? "\r\n" : "";
        frame += lines[i];
        frame += erase_to_end_of_line;
    }
    frame += erase_below;
    frame += end_frame;
    write_all(frame);
}

ScreenSize Screen::size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return {};
    return {size.ws_col, size.ws_row};
}

} // namespace livesock
