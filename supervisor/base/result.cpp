#include "supervisor/base/result.hpp"

#include <cstring>

namespace livesock {

Error system_error(const std::string& what, int code) {
    return Error{what + ": " + std::strerror(code), code};
}

} // namespace livesock
