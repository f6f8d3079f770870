#include "supervisor/agent/token_file.hpp"

#include "supervisor/agent/token_handshake.hpp"
#include "supervisor/base/escape.hpp"
#include "supervisor/base/file.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace livesock {
namespace {

/// A token, and white space behind it.
constexpr std::size_t largest_file = longest_token + 64;

bool is_printable(char c) {
    return c > ' ' && c <= '~';
}

} // namespace

Result<std::string> read_token(const std::string& path) {
    const std::string what = fmt::format("cannot use the token in '{}'", escaped(path));
    const Result<UniqueFd> fd = open_trusted_file(path, FileUse::secret, what);
    if (!fd)
        return fd.error();
    Result<std::string> read = read_up_to(*fd, largest_file, what);
    if (!read)
        return read.error();
    std::string& token = *read;
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' '))
        token.pop_back();
    const bool is_token = token.size() >= shortest_token && token.size() <= longest_token &&
                          std::all_of(token.begin(), token.end(), is_printable);
    if (!is_token)
        return Error{fmt::format("{}: expected one line of {} to {} characters without blanks, as "
                                 "'openssl rand -base64 32' prints it",
                                 what, shortest_token, longest_token),
                     EINVAL};
    return read;
}

} // namespace livesock
