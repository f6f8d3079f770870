#include "supervisor/proxy/policy.hpp"

#include "supervisor/agent/public_key.hpp"
#include "supervisor/proxy/client_process.hpp"

#include <algorithm>

namespace livesock {
namespace {

bool is_listed(const PolicySettings& policy, const std::string& name) {
    return std::find(policy.keys.begin(), policy.keys.end(), name) != policy.keys.end();
}

bool is_allowed(const PolicySettings& policy, const Identity& identity) {
    return policy.keys.empty() || is_listed(policy, identity.comment) ||
           is_listed(policy, fingerprint(identity.blob));
}

bool may_sign(const PolicySettings& policy, std::string_view blob,
              const std::vector<Identity>& identities) {
    if (policy.keys.empty() || is_listed(policy, fingerprint(blob)))
        return true;
    return std::any_of(identities.begin(), identities.end(), [&](const Identity& identity) {
        return identity.blob == blob && is_allowed(policy, identity);
    });
}

} // namespace

std::optional<std::string> refused_by(const PolicySettings& policy, const Message& request,
                                      const std::vector<Identity>& identities, pid_t pid) {
    const RequestKind kind = kind_of(request);
    if (policy.read_only && kind == RequestKind::other)
        return "policy.read_only";
    if (kind == RequestKind::sign && !may_sign(policy, signing_key(request), identities))
        return "policy.keys";
    // A session-bind that is kept from the agent would leave the connection unbound, and what is
    // asked next free of the constraints of keys.
    if (kind != RequestKind::session_bind && is_background_of(pid, policy.deny_comm))
        return "policy.deny_comm";
    return std::nullopt;
}

std::string allowed_identities(const PolicySettings& policy, const Message& answer) {
    std::vector<Identity> identities = parse_identities(answer).value_or(std::vector<Identity>());
    std::erase_if(identities,
                  [&](const Identity& identity) { return !is_allowed(policy, identity); });
    return identities_frame(identities);
}

} // namespace livesock
