// Who may use an HTTP listener.
#pragma once

#include "supervisor/http/client_tokens.hpp"
#include "supervisor/http/http_peer.hpp"
#include "supervisor/http/request.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace livesock {

struct AccessSettings {
    std::string token_file{};         ///< empty: tokens are not taken
    bool requires_token = false;      ///< whoever it is
    std::vector<uid_t> allow_uids{};  ///< besides this user and root
    std::vector<std::string> hosts{}; ///< further names of the listener
    bool any_host = false;            ///< clients may call it what they like, see refused_as_page()

    bool operator==(const AccessSettings&) const = default;
};

/// Somebody who was let in.
struct AccessGrant {
    std::string who; ///< "token ci", "uid 1000": for the log
};

/// The answer that refuses, or the grant.
struct AccessVerdict {
    std::optional<HttpAnswer> refusal{};
    AccessGrant grant;
};

/// Decides by the token that a client shows ("Authorization: Bearer TOKEN"), else by the user that
/// the kernel says it is. A wrong token is refused, whoever shows it.
class Access {
  public:
    explicit Access(AccessSettings settings);

    /// Whether the request may come from here at all: it is of no web page, and its Host is ours.
    std::optional<HttpAnswer> refused_as_web(const HttpRequest& request,
                                             const HttpPeer& peer) const;
    /// Whether the client may have what only trusted ones may.
    AccessVerdict check(const HttpRequest& request, HttpPeer& peer);

    const AccessSettings& settings() const { return settings_; }

  private:
    bool is_allowed(uid_t uid) const;

    AccessSettings settings_;
    ClientTokens tokens_;
    std::string told_problem_; // with the token file
};

} // namespace livesock
