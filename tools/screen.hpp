// The whole terminal, taken for a live view and given back as it was.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <termios.h>

namespace livesock {

struct ScreenSize {
    std::size_t columns = 80;
    std::size_t rows = 24;
};

/// Standard output is a terminal while there is one of these. What is typed comes at once and is
/// not shown, if standard input is a terminal too; signals keep their keys.
class Screen {
  public:
    /// Takes the terminal: the alternate screen, without a cursor.
    Screen();
    /// Gives it back.
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    /// Shows `lines` in place of what was there, in one write and without clearing first: nothing
    /// flickers. No line is longer than the terminal is wide.
    void draw(const std::vector<std::string>& lines) const;

    /// The size as it is now.
    [[nodiscard]] static ScreenSize size();

  private:
    termios before_{};
    bool has_input_ = false;
};

} // namespace livesock
