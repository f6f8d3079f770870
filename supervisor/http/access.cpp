#include "supervisor/http/access.hpp"

#include "supervisor/base/log.hpp"
#include "supervisor/base/peer.hpp"
#include "supervisor/http/web_guard.hpp"

#include <algorithm>
#include <utility>

namespace livesock {
namespace {

constexpr std::string_view scheme = "Bearer ";

/// Longer ones are not looked at.
constexpr std::size_t longest_token = 256;

AccessVerdict unauthorized(std::string_view reason) {
    HttpAnswer answer = refusal(401, reason);
    answer.headers.emplace_back("WWW-Authenticate", "Bearer");
    return {.refusal = std::move(answer), .grant = {}};
}

/// The token that is shown; empty if it is shown in another way than ours.
std::string_view shown_token(std::string_view authorization) {
    if (!is_same_word(authorization.substr(0, scheme.size()), scheme))
        return {};
    const std::string_view token = authorization.substr(scheme.size());
    return token.size() <= longest_token ? token : std::string_view();
}

} // namespace

Access::Access(AccessSettings settings)
    : settings_(std::move(settings))
    , tokens_(settings_.token_file) {}

std::optional<HttpAnswer> Access::refused_as_web(const HttpRequest& request,
                                                 const HttpPeer& peer) const {
    const std::optional<std::string> why =
        settings_.any_host ? refused_as_page(request)
                           : livesock::refused_as_web(request, peer, settings_.hosts);
    return why ? std::optional(refusal(403, *why)) : std::nullopt;
}

AccessVerdict Access::check(const HttpRequest& request, HttpPeer& peer) {
    if (const std::string* const authorization = request.header("authorization")) {
        if (settings_.token_file.empty())
            return unauthorized("this listener takes no tokens: it has no 'token_file'");
        const Result<std::optional<std::string>> name = tokens_.check(shown_token(*authorization));
        const std::string problem = name ? std::string() : name.error().message;
        // Once, not for every request.
        if (std::exchange(told_problem_, problem) != problem && !problem.empty())
            log::warning("{}; nobody gets in with a token", problem);
        if (!name || !*name)
            return unauthorized("the token is wrong, or was revoked");
        return {.refusal = std::nullopt, .grant = {"token " + **name}};
    }
    if (settings_.requires_token)
        return unauthorized("a token is needed: 'livesock signing token NAME' makes one");
    const std::optional<uid_t> uid = peer.uid();
    if (uid && is_allowed(*uid))
        return {.refusal = std::nullopt, .grant = {"uid " + std::to_string(*uid)}};
    return unauthorized(uid ? "a token is needed: you are another user than the supervisor's"
                            : "a token is needed: it cannot be told which user you are");
}

bool Access::is_allowed(uid_t uid) const {
    const auto& others = settings_.allow_uids;
    return is_trusted_uid(uid) || std::find(others.begin(), others.end(), uid) != others.end();
}

} // namespace livesock
