#include "supervisor/broker/text_forms.hpp"

#include "supervisor/agent/base64.hpp"
#include "supervisor/agent/identities.hpp"
#include "supervisor/agent/public_key.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sodium.h>

namespace livesock {
namespace {

using std::chrono::system_clock;

constexpr std::size_t dashes[] = {8, 13, 18, 23};
constexpr std::size_t id_length = 36;

bool is_digits(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

/// The number in two or four digits, if it lies between the two.
bool is_number(std::string_view digits, int least, int most) {
    int value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return is_digits(digits) && value >= least && value <= most;
}

} // namespace

std::string new_message_id(system_clock::time_point now) {
    using namespace std::chrono;
    const auto since = duration_cast<milliseconds>(now.time_since_epoch()).count();
    const auto ms = static_cast<std::uint64_t>(since);
    std::array<unsigned char, 16> bytes{};
    ::randombytes_buf(bytes.data(), bytes.size());
    for (std::size_t i = 0; i < 6; ++i)
        bytes[i] = static_cast<unsigned char>(ms >> (8 * (5 - i)));
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x70);
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        text += fmt::format("{:02x}", bytes[i]);
    }
    return text;
}

bool is_message_id(std::string_view text) {
    if (text.size() != id_length)
        return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_dash = std::find(std::begin(dashes), std::end(dashes), i) != std::end(dashes);
        const auto c = static_cast<unsigned char>(text[i]);
        if (is_dash ? c != '-' : std::isxdigit(c) == 0)
            return false;
    }
    return true;
}

std::string rfc3339(system_clock::time_point time) {
    using namespace std::chrono;
    const auto ms = floor<milliseconds>(time.time_since_epoch()).count();
    const std::time_t whole = ms / 1000;
    std::tm broken{};
    ::gmtime_r(&whole, &broken);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", broken, ms % 1000);
}

bool is_rfc3339_utc(std::string_view text) {
    // "2026-01-31T12:00:00", perhaps a fraction, "Z".
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':')
        return false;
    if (text[10] != 'T' && text[10] != 't' && text[10] != ' ')
        return false;
    if (!is_number(text.substr(0, 4), 0, 9999) || !is_number(text.substr(5, 2), 1, 12) ||
        !is_number(text.substr(8, 2), 1, 31) || !is_number(text.substr(11, 2), 0, 23) ||
        !is_number(text.substr(14, 2), 0, 59) || !is_number(text.substr(17, 2), 0, 60))
        return false;
    std::string_view rest = text.substr(19);
    if (rest.front() == '.') {
        const std::size_t end = rest.find_first_not_of("0123456789", 1);
        if (end == std::string_view::npos || end == 1)
            return false;
        rest.remove_prefix(end);
    }
    return rest == "Z" || rest == "z" || rest == "+00:00" || rest == "-00:00";
}

bool is_public_key(std::string_view blob) {
    const std::string_view type = key_type(blob);
    return !type.empty() && is_printable(type);
}

std::optional<std::string> parse_public_key(std::string_view text) {
    const bool is_line = text.find(' ') != std::string_view::npos;
    std::optional<std::string> blob = is_line ? parse_key_line(text) : from_base64(text);
    return blob && is_public_key(*blob) ? blob : std::nullopt;
}

} // namespace livesock
