#include "tests/unit/daemon/parsed.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

std::vector<SigningSettings> accepted_signing(std::string_view text) {
    return accepted_config(text).signing;
}

} // namespace

TEST_CASE("a signing listener needs an address alone") {
    const auto listeners = accepted_signing("[[signing]]\nlisten = '127.0.0.1:7221'\n");
    REQUIRE(listeners.size() == 1);
    const SigningSettings& listener = listeners[0];
    CHECK(to_text(listener.listen) == "127.0.0.1:7221");
    CHECK(listener.name == "127.0.0.1:7221");
    CHECK(listener.namespaces == std::vector<std::string>{"git"});
    CHECK(listener.keys.empty());
    CHECK_FALSE(listener.access.requires_token);
    CHECK(listener.max_body == 16 * 1024 * 1024);
    CHECK(accepted_signing("signing = []").empty());
}

TEST_CASE("every key of a signing listener is read") {
    const auto listeners = accepted_signing(fmt::format(R"(
        [[signing]]
        name = "box"
        listen = "unix:~/sign.sock"
        namespaces = ["git", "file"]
        keys = ["{}"]
        token_file = "~/tokens"
        require_token = true
        allow_uids = [0, 100000]
        hosts = ["host.docker.internal", "sign.example:80"]
        max_body = 1000
        rate = 5
        timeout = "3s"
    )",
                                                        some_key));
    REQUIRE(listeners.size() == 1);
    const SigningSettings& listener = listeners[0];
    CHECK(listener.name == "box");
    CHECK(listener.listen.path == "/home/ann/sign.sock");
    CHECK(listener.namespaces == std::vector<std::string>{"git", "file"});
    CHECK(listener.keys == std::vector<std::string>{some_key});
    CHECK(listener.access.token_file == "/home/ann/tokens");
    CHECK(listener.access.requires_token);
    CHECK(listener.access.allow_uids == std::vector<uid_t>{0, 100000});
    CHECK(listener.access.hosts.size() == 2);
    CHECK(listener.max_body == 1000);
    CHECK(listener.rate == 5);
    CHECK(listener.timeout == 3s);
}

TEST_CASE("beyond this host everybody needs a token, and so a token file") {
    for (const char* const address : {"0.0.0.0:1", "[::]:1", "172.17.0.1:1", "[fe80::1]:1"}) {
        check_refused(fmt::format("\n[[signing]]\nlisten = '{}'", address), "2:", "'token_file'");
        const auto listeners =
            accepted_signing(fmt::format("[[signing]]\nlisten = '{}'\ntoken_file = '/t'", address));
        CHECK(listeners.at(0).access.requires_token);
    }
    check_refused("[[signing]]\nlisten = '[::1]:1'\nrequire_token = true", "1:", "'token_file'");
}

TEST_CASE("what is no signing listener is refused where it stands") {
    const auto with = [](std::string_view line) {
        return fmt::format("[[signing]]\nlisten = '127.0.0.1:1'\n{}\n", line);
    };
    check_refused("[signing]\nlisten = '127.0.0.1:1'", "1:1", "[[signing]]");
    check_refused("[[signing]]\n", "1:", "no 'listen'");
    check_refused("[[signing]]\nlisten = 'example.org:1'", "2:10", "127.0.0.1:7221");
    check_refused("[[signing]]\nlisten = 7221", "2:10", "127.0.0.1:7221");
    check_refused("[[signing]]\nlisten = 'unix:sign.sock'", "2:10", "expected");
    check_refused(with("tokenfile = '/t'"), "3:1", "did you mean 'token_file'?");
    check_refused(with("name = 'a b'"), "3:8", "letters");
    check_refused(with("namespaces = []"), "3:14",
                  "is an empty array, expected an array of strings such as [\"git\"]");
    check_refused(with("namespaces = ['']"), "3:15", "not empty");
    check_refused(with("keys = ['alice']"), "3:9", "SHA256:");
    check_refused(with("allow_uids = [-1]"), "3:", "user IDs");
    check_refused(with("allow_uids = [4294967295]"), "3:", "user IDs");
    check_refused(with("max_body = 0"), "3:12", "from 1");
    check_refused(with("rate = 0"), "3:8", "from 1");
    check_refused(with("timeout = '0ms'"), "3:11", "from 1ms");
}

TEST_CASE("two listeners have neither one address nor one name, and there are not too many") {
    check_refused("[[signing]]\nlisten = '127.0.0.1:1'\n[[signing]]\nlisten = 'localhost:1'",
                  "3:", "twice");
    check_refused("[[signing]]\nlisten = '127.0.0.1:1'\nname = 'a'\n"
                  "[[signing]]\nlisten = '127.0.0.1:2'\nname = 'a'",
                  "4:", "twice");
    std::string many;
    for (std::size_t i = 1; i <= most_signing_listeners; ++i)
        many += fmt::format("[[signing]]\nlisten = '127.0.0.1:{}'\n", i);
    CHECK(accepted_signing(many).size() == most_signing_listeners);
    check_refused(many + "[[signing]]\nlisten = '127.0.0.1:99'\n", "33:", "more than 16");
}

TEST_CASE("the agent gets no longer for a signature than the proxy waits") {
    const std::string listener = "[[signing]]\nlisten = '127.0.0.1:7221'\n";
    CHECK(accepted_signing(listener + "timeout = '60s'\n")[0].timeout == 60s);
    check_refused(listener + "timeout = '61s'\n", "3:", "proxy.sign_timeout, which is 60 s");
    CHECK(
        accepted_signing(listener + "timeout = '2m'\n[proxy]\nsign_timeout = '2m'\n")[0].timeout ==
        2min);
    CHECK(accepted_signing(listener + "[proxy]\nsign_timeout = '10s'\n")[0].timeout == 10s);
}
