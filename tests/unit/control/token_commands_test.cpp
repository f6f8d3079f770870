#include "tests/unit/control/controlled.hpp"

#include "supervisor/control/token_commands.hpp"

using namespace livesock;
using nlohmann::json;

namespace {

json run(Controlled& controlled, const json& request) {
    return run_tokens_command(controlled.host, request);
}

} // namespace

TEST_CASE("tokens are added, listed without themselves, and revoked") {
    Controlled controlled;
    controlled.host.tokens = controlled.temp.entry("tokens");
    const json added = run(controlled, {{"action", "add"}, {"name", "ci"}, {"listener", "box"}});
    CHECK(added["ok"] == true);
    CHECK(added["token"].get<std::string>().starts_with("lsk_"));
    CHECK(controlled.host.token_listeners.back() == "box");
    const json listed = run(controlled, {{"action", "list"}});
    CHECK(listed["tokens"][0]["name"] == "ci");
    CHECK(listed.dump().find("lsk_") == std::string::npos);
    CHECK(run(controlled, {{"action", "add"}, {"name", "ci"}})["code"] == "refused");
    CHECK(run(controlled, {{"action", "revoke"}, {"name", "ci"}})["ok"] == true);
    CHECK(run(controlled, {{"action", "revoke"}, {"name", "ci"}})["code"] == "refused");
    CHECK(run(controlled, {{"action", "list"}})["tokens"].empty());
}

TEST_CASE("what is no request about tokens is refused") {
    Controlled controlled;
    CHECK(run(controlled, {{"action", "list"}})["ok"] == false);
    controlled.host.tokens = controlled.temp.entry("tokens");
    for (const json& bad : {json{{"action", "give"}}, json::object(), json{{"action", 1}},
                            json{{"action", "add"}}, json{{"action", "add"}, {"name", "a b"}},
                            json{{"action", "add"}, {"name", json::array()}}})
        CHECK(run(controlled, bad)["code"] == "refused");
}
