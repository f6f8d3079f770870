#include "supervisor/control/token_commands.hpp"

#include "supervisor/base/escape.hpp"
#include "supervisor/base/log.hpp"
#include "supervisor/control/request.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace livesock {
namespace {

using nlohmann::json;

json refused(const std::string& error) {
    return {{"ok", false}, {"code", "refused"}, {"error", error}};
}

json add(ClientTokens& tokens, const std::string& name) {
    const Result<std::string> token = tokens.add(name);
    if (!token)
        return refused(token.error().message);
    log::info("a token '{}' was added to '{}'", name, escaped(tokens.path()));
    return {{"ok", true}, {"name", name}, {"token", *token}, {"file", tokens.path()}};
}

json revoke(ClientTokens& tokens, const std::string& name) {
    if (Result<void> revoked = tokens.revoke(name); !revoked)
        return refused(revoked.error().message);
    log::info("the token '{}' in '{}' was revoked", name, escaped(tokens.path()));
    return {{"ok", true}, {"name", name}, {"file", tokens.path()}};
}

json list(const ClientTokens& tokens) {
    const Result<std::vector<TokenEntry>> entries = tokens.list();
    if (!entries)
        return refused(entries.error().message);
    json named = json::array();
    for (const TokenEntry& entry : *entries)
        named.push_back({{"name", entry.name}, {"date", entry.date}});
    return {{"ok", true}, {"tokens", std::move(named)}, {"file", tokens.path()}};
}

} // namespace

json run_tokens_command(ControlHost& host, const json& request) {
    Result<ClientTokens> tokens = host.client_tokens(text_of(request, "listener"));
    if (!tokens)
        return refused(tokens.error().message);
    const std::string action = text_of(request, "action");
    const std::string name = text_of(request, "name");
    if (action == "add")
        return add(*tokens, name);
    if (action == "revoke")
        return revoke(*tokens, name);
    if (action == "list")
        return list(*tokens);
    return refused("tokens takes \"action\": \"add\", \"revoke\" or \"list\"");
}

} // namespace livesock
