#include "supervisor/http/client_tokens.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/file.hpp"
#include "supervisor/base/next_word.hpp"
#include "supervisor/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <unistd.h>

namespace livesock {
namespace {

constexpr std::size_t longest_name = 64;
constexpr std::size_t hash_digits = 2 * crypto_hash_sha256_BYTES;
constexpr std::size_t largest_file = 64 * 1024;

/// What a token begins with, so that a person, or a scanner of secrets, knows one.
constexpr std::string_view token_prefix = "lsk_";
constexpr std::size_t token_bytes = 32;

constexpr std::string_view file_head =
    "# Tokens of livesock's signing endpoint: see livesock-signing(7). Each line is a name, the\n"
    "# SHA-256 of the token, and the day it was made. To revoke one: livesock signing token NAME "
    "--revoke\n";

std::string hash_of(std::string_view token) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(token.data()), token.size());
    char digits[hash_digits + 1];
    sodium_bin2hex(digits, sizeof digits, hash, sizeof hash);
    return digits;
}

std::string today() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char text[16];
    return {text, std::strftime(text, sizeof text, "%F", &local)};
}

bool is_hash(std::string_view text) {
    return text.size() == hash_digits &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_unchanged(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino &&
           one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
           one.st_mtim.tv_nsec == other.st_mtim.tv_nsec &&
           one.st_ctim.tv_sec == other.st_ctim.tv_sec &&
           one.st_ctim.tv_nsec == other.st_ctim.tv_nsec && one.st_mode == other.st_mode &&
           one.st_uid == other.st_uid;
}

std::string cannot_read(const std::string& path) {
    return fmt::format("cannot read the tokens in '{}'", escaped(path));
}

Result<UniqueFd> open_tokens(const std::string& path) {
    return open_trusted_file(path, FileUse::secret, cannot_read(path));
}

Result<std::vector<TokenEntry>> read_tokens(const UniqueFd& fd, const std::string& path) {
    const Result<std::string> text = read_up_to(fd, largest_file + 1, cannot_read(path));
    if (!text)
        return text.error();
    Result<std::vector<TokenEntry>> entries = parse_tokens(*text);
    if (!entries)
        return Error{fmt::format("'{}': {}", escaped(path), entries.error().message)};
    return entries;
}

} // namespace

bool is_token_name(std::string_view name) {
    constexpr std::string_view known =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return !name.empty() && name.size() <= longest_name && name[0] != '-' && name[0] != '.' &&
           name.find_first_not_of(known) == std::string_view::npos;
}

Result<std::vector<TokenEntry>> parse_tokens(std::string_view text) {
    if (text.size() > largest_file)
        return Error{fmt::format("larger than {} bytes", largest_file)};
    std::vector<TokenEntry> entries;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::string_view name = next_word(line);
        if (name.empty() || name[0] == '#')
            continue;
        const std::string_view hash = next_word(line);
        const std::string_view date = next_word(line);
        if (!is_token_name(name) || !is_hash(hash) || !next_word(line).empty())
            return Error{fmt::format("line {} is not NAME HASH DATE", number)};
        if (entries.size() == most_tokens)
            return Error{fmt::format("there are more than {} tokens", most_tokens)};
        entries.push_back({std::string(name), std::string(hash), std::string(date)});
    }
    return entries;
}

const TokenEntry* find_token(const std::vector<TokenEntry>& entries, std::string_view token) {
    const std::string hash = hash_of(token);
    const TokenEntry* found = nullptr;
    for (const TokenEntry& entry : entries)
        if (sodium_memcmp(entry.hash.data(), hash.data(), hash_digits) == 0)
            found = &entry;
    return found;
}

Result<std::optional<std::string>> ClientTokens::check(std::string_view token) {
    struct stat now {};
    if (!read_as_ || ::stat(path_.c_str(), &now) != 0 || !is_unchanged(now, *read_as_)) {
        read_as_.reset();
        const Result<UniqueFd> fd = open_tokens(path_);
        if (!fd)
            return fd.error();
        // Before the reading: of a file that changes meanwhile it is read again.
        if (::fstat(fd->get(), &now) != 0)
            return system_error(cannot_read(path_), errno);
        Result<std::vector<TokenEntry>> entries = read_tokens(*fd, path_);
        if (!entries)
            return entries.error();
        entries_ = std::move(*entries);
        read_as_ = now;
    }
    const TokenEntry* const found = find_token(entries_, token);
    return found == nullptr ? std::nullopt : std::optional(found->name);
}

Result<std::vector<TokenEntry>> ClientTokens::list() const {
    const Result<UniqueFd> fd = open_tokens(path_);
    if (!fd && fd.error().code == ENOENT)
        return std::vector<TokenEntry>();
    return fd ? read_tokens(*fd, path_) : fd.error();
}

Result<std::string> ClientTokens::add(const std::string& name) {
    if (!is_token_name(name))
        return Error{fmt::format("'{}' is no name for a token: use letters, digits, '.', '_', '-'",
                                 escaped(name))};
    Result<std::vector<TokenEntry>> entries = list();
    if (!entries)
        return entries.error();
    if (std::any_of(entries->begin(), entries->end(),
                    [&](const TokenEntry& entry) { return entry.name == name; }))
        return Error{fmt::format("there is a token '{}' already: revoke it first", name), EEXIST};
    if (entries->size() == most_tokens)
        return Error{fmt::format("there are {} tokens: revoke one first", most_tokens)};
    std::array<unsigned char, token_bytes> random{};
    randombytes_buf(random.data(), random.size());
    constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    char text[sodium_base64_ENCODED_LEN(token_bytes, variant)];
    sodium_bin2base64(text, sizeof text, random.data(), random.size(), variant);
    std::string token = std::string(token_prefix) + text;
    entries->push_back({name, hash_of(token), today()});
    if (Result<void> written = write(*entries); !written)
        return written.error();
    return token;
}

Result<void> ClientTokens::revoke(const std::string& name) {
    Result<std::vector<TokenEntry>> entries = list();
    if (!entries)
        return entries.error();
    if (std::erase_if(*entries, [&](const TokenEntry& entry) { return entry.name == name; }) == 0)
        return Error{fmt::format("there is no token '{}' in '{}'", escaped(name), escaped(path_)),
                     ENOENT};
    return write(*entries);
}

Result<void> ClientTokens::write(const std::vector<TokenEntry>& entries) const {
    const std::string temporary = path_ + ".new";
    const std::string what = fmt::format("cannot write the tokens to '{}'", escaped(path_));
    ::unlink(temporary.c_str());
    const UniqueFd fd(::open(temporary.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             S_IRUSR | S_IWUSR));
    if (!fd)
        return system_error(what, errno);
    std::string text(file_head);
    for (const TokenEntry& entry : entries)
        text += fmt::format("{} {} {}\n", entry.name, entry.hash, entry.date);
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size()) ||
        ::rename(temporary.c_str(), path_.c_str()) != 0) {
        const int code =
            written >= 0 && written < static_cast<ssize_t>(text.size()) ? ENOSPC : errno;
        ::unlink(temporary.c_str());
        return system_error(what, code);
    }
    return {};
}

} // namespace livesock
