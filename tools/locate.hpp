// Where the other programs of this installation, or of this build tree, are.
#pragma once

#include <string>

namespace livesock {

/// What livesock(1) needs of the rest.
struct Installation {
    std::string supervisor; ///< livesockd; without a '/' it has to be in $PATH
    std::string shim;       ///< liblivesock.so; empty where there is none
};

/// What belongs to the program at `program` (an absolute path): the installed layout first, as
/// configured by meson, then that of the build tree.
[[nodiscard]] Installation locate(const std::string& program);

/// The same for the program that is running (/proc/self/exe).
[[nodiscard]] Installation locate();

} // namespace livesock
