#include "tools/signing_text.hpp"

#include "tests/support/contains.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace livesock;

namespace {

const ExposingHost host{.home = "/home/ann", .script = "/opt/it's/livesock-sign"};

SigningReport listener_at(const std::string& address) {
    return {
        .name = "box", .listen = address, .namespaces = {"git"}, .public_key = "ssh-ed25519 AAAA"};
}

} // namespace

TEST_CASE("a loopback listener is reached through the host's network") {
    const std::string text = expose_text(listener_at("127.0.0.1:7221"), host);
    CHECK(contains(text, "'--network' 'host'"));
    CHECK(contains(text, "'LIVESOCK_SIGN_URL=http://127.0.0.1:7221'"));
    CHECK(contains(text, "git config --global user.signingkey 'key::ssh-ed25519 AAAA'"));
    CHECK(contains(text, "'/opt/it'\\''s/livesock-sign:/usr/local/bin/livesock-sign:ro'"));
    CHECK_FALSE(contains(text, "TOKEN_FILE"));
}

TEST_CASE("of a Unix listener the directory is mounted, and cannot be written to") {
    const std::string text = expose_text(listener_at("unix:/home/ann/s/sign.sock"), host);
    CHECK(contains(text, "'-v' '/home/ann/s:/run/livesock:ro'"));
    CHECK(contains(text, "'LIVESOCK_SIGN_URL=unix:/run/livesock/sign.sock'"));
}

TEST_CASE("the directory of a Unix listener is all that is mounted for it") {
    CHECK(mounted_directory(listener_at("unix:/home/ann/s/sign.sock")) == "/home/ann/s");
    CHECK(mounted_directory(listener_at("unix:/sign.sock")) == "/");
    CHECK(mounted_directory(listener_at("127.0.0.1:7221")).empty());
}

TEST_CASE("a listener at all addresses is reached by the gateway's name, which it has to know") {
    SigningReport listener = listener_at("0.0.0.0:7221");
    listener.token_file = "/home/ann/tokens";
    std::string text = expose_text(listener, host);
    CHECK(contains(text, "'--add-host' 'host.docker.internal:host-gateway'"));
    CHECK(contains(text, "'LIVESOCK_SIGN_URL=http://host.docker.internal:7221'"));
    CHECK(contains(text, "hosts = [\"host.docker.internal\"]"));
    CHECK(contains(text, "livesock signing token 'container-box' --listener 'box'"));
    CHECK(contains(text, "LIVESOCK_SIGN_TOKEN_FILE=/run/secrets/livesock-sign-token"));
    CHECK_FALSE(contains(text, "/home/ann/tokens")); // that is not what a container may have
    listener.hosts = {"host.docker.internal"};
    CHECK_FALSE(contains(expose_text(listener, host), "hosts ="));
}

TEST_CASE("the token has a name that the supervisor takes, whatever the listener is called") {
    SigningReport listener = listener_at("unix:/home/ann/s/sign.sock");
    listener.token_file = "/home/ann/tokens";
    listener.name = "unix:/home/it's me/~a+b@c/" + std::string(80, 'x');
    const std::string text = expose_text(listener, host);
    const std::string name = "container-unix__home_it_s_me__a_b_c_" + std::string(28, 'x');
    CHECK(name.size() == 64);
    CHECK(contains(text, "livesock signing token '" + name + "' "));
}

TEST_CASE("a devcontainer gets the same as JSON") {
    SigningReport listener = listener_at("172.17.0.1:7221");
    listener.token_file = "/home/ann/tokens";
    const auto container = nlohmann::json::parse(expose_devcontainer(listener, host));
    CHECK(container["containerEnv"]["LIVESOCK_SIGN_URL"] == "http://172.17.0.1:7221");
    CHECK(container["mounts"].size() == 2);
    CHECK(contains(container["mounts"][1], "${localEnv:HOME}/.config/livesock/box.token"));
    CHECK(contains(container["postCreateCommand"], "gpg.ssh.program 'livesock-sign'"));
}
