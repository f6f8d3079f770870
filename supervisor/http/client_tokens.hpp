// Tokens that let clients in: a file of names and hashes, never of the tokens themselves.
#pragma once

#include "supervisor/base/clock.hpp"
#include "supervisor/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

namespace livesock {

/// What the file knows of a token: a line "NAME HASH DATE", the hash SHA-256 in hexadecimal digits.
/// A token is 256 random bits, so that a fast hash is no weakness.
struct TokenEntry {
    std::string name;
    std::string hash;
    std::string date; ///< "2026-01-31", of its making
};

inline constexpr std::size_t most_tokens = 256;

/// Letters, digits, '.', '_' and '-', at most 64; not '-' or '.' in front.
[[nodiscard]] bool is_token_name(std::string_view name);

/// The entries in `text`; empty lines, and those that begin with '#', are passed over. The error
/// names the line.
[[nodiscard]] Result<std::vector<TokenEntry>> parse_tokens(std::string_view text);

/// The entry that `token` belongs to; nothing if there is none. Takes the same time whichever it
/// is, and however near a wrong token comes.
[[nodiscard]] const TokenEntry* find_token(const std::vector<TokenEntry>& entries,
                                           std::string_view token);

/// The file at `path`. It must belong to this user or root, and nobody else may read or write it.
class ClientTokens {
  public:
    explicit ClientTokens(std::string path)
        : path_(std::move(path)) {}

    /// The name of `token`; nothing if it is not, or no longer, valid. The file is read again when
    /// it has changed. The error says what is wrong with the file: then nobody gets in.
    Result<std::optional<std::string>> check(std::string_view token);

    /// What is in the file; nothing where there is none yet.
    Result<std::vector<TokenEntry>> list() const;

    /// Adds a token called `name` and returns it: nobody can tell it afterwards. The file is made
    /// where it is missing (mode 0600), and replaced as a whole. Error: there is one of that name.
    Result<std::string> add(const std::string& name);

    /// Error::code is ENOENT if there is none of that name.
    Result<void> revoke(const std::string& name);

    const std::string& path() const { return path_; }

  private:
    Result<void> write(const std::vector<TokenEntry>& entries) const;

    std::string path_;
    std::optional<struct stat> read_as_; // the file, when it was read last
    std::vector<TokenEntry> entries_;
};

} // namespace livesock
