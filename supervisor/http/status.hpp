// Status codes of HTTP (RFC 9110, section 15), where they have a name in the code.
#pragma once

namespace livesock::http_status {

inline constexpr int ok = 200;
inline constexpr int accepted = 202;
inline constexpr int first_of_no_success = 300;
inline constexpr int bad_request = 400;
inline constexpr int unauthorized = 401;
inline constexpr int forbidden = 403;
inline constexpr int not_found = 404;
inline constexpr int no_method = 405;
inline constexpr int too_large = 413;
inline constexpr int unavailable = 503;
inline constexpr int gateway_timeout = 504;

} // namespace livesock::http_status
