#include "tests/support/contains.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/daemon/parsed.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include <fmt/format.h>

using namespace livesock;
using namespace std::chrono_literals;

TEST_CASE("an empty configuration is the default one") {
    CHECK(accepted_config("") == Config{});
    CHECK(accepted_config("# nothing\n\n[probe]\n[log]\n") == Config{});
}

TEST_CASE("every key is read") {
    const Config config = accepted_config(R"(
        [discovery]
        forwarded = false
        globs = ["/run/user/*/agent", "~/.agents/*.sock"]
        [probe]
        interval = "1m"
        timeout = "250ms"
        hung_after = "3s"
        [selection]
        policy = "newest"
        [proxy]
        grace = "0s"
        list_timeout = "6s"
        sign_timeout = "2m"
        max_clients = 7
        [log]
        level = "debug"
    )");
    CHECK_FALSE(config.discovery.forwarded);
    CHECK(config.discovery.globs ==
          std::vector<std::string>{"/run/user/*/agent", "/home/ann/.agents/*.sock"});
    CHECK(config.probe.interval == 1min);
    CHECK(config.probe.timeout == 250ms);
    CHECK(config.probe.hung_after == 3s);
    CHECK(config.selection.policy == SelectionPolicy::newest);
    CHECK(config.proxy.grace == 0s);
    CHECK(config.proxy.list_timeout == 6s);
    CHECK(config.proxy.sign_timeout == 2min);
    CHECK(config.proxy.max_clients == 7);
    CHECK(config.log_level == log::Level::debug);
}

TEST_CASE("the manual's example says the defaults") {
    CHECK(accepted_config(R"(
        [discovery]
        forwarded = true
        globs = []
        [probe]
        interval = "30s"
        timeout = "2s"
        hung_after = "10s"
        [selection]
        policy = "newest"
        [proxy]
        grace = "2s"
        list_timeout = "5s"
        sign_timeout = "60s"
        max_clients = 16384
        [log]
        level = "info"
    )") == Config{});
}

TEST_CASE("dotted keys and inline tables are tables too") {
    CHECK(accepted_config("probe.interval = '1s'").probe.interval == 1s);
    CHECK(accepted_config("probe = { interval = '1s' }").probe.interval == 1s);
}

TEST_CASE("an unknown table is refused at its name") {
    check_refused("\n [prob]\n", "2:3", {"unknown table 'prob'", "did you mean 'probe'?"});
    check_refused("[[prob]]\n", "1:3", {"unknown table 'prob'"});
    check_refused("[zzzzzzzz]\n", "1:2",
                  {"unknown table 'zzzzzzzz'",
                   "discovery, probe, selection, proxy, policy, "
                   "fallback, signing, upstream, listen, broker, labels, log"});
    CHECK_FALSE(contains(refused("[zzzzzzzz]\n"), "did you mean"));
}

TEST_CASE("the policy is read") {
    const Config config = accepted_config(R"(
        selection.mode = "merge"
        [policy]
        read_only = true
        keys = ["SHA256:abc", "ann@desk"]
        deny_comm = ["code"]
        on_wait = "tmux display-message touch"
        on_wait_after = "3s"
    )");
    CHECK(config.selection.mode == SelectionMode::merge);
    CHECK(config.proxy.policy.read_only);
    CHECK(config.proxy.policy.keys == std::vector<std::string>{"SHA256:abc", "ann@desk"});
    CHECK(config.proxy.policy.deny_comm == std::vector<std::string>{"code"});
    CHECK(config.proxy.policy.restricts());
    CHECK(config.proxy.policy.on_wait == "tmux display-message touch");
    CHECK(config.proxy.policy.on_wait_after == 3s);
    CHECK_FALSE(accepted_config("[policy]\non_wait = 'true'").proxy.policy.restricts());
    check_refused("[policy]\non_wait = ['true']", "2:11", {"policy.on_wait", "a string"});
    CHECK_FALSE(accepted_config("[policy]\nkeys = []").proxy.policy.restricts());
    check_refused("[policy]\nkeys = ['a', '']", "2:14", {"policy.keys", "not empty"});
    check_refused("[policy]\nkeys = 'a'", "2:8", {"expected an array of strings"});
    check_refused("[policy]\ndeny_comm = [1]", "2:14", {"policy.deny_comm has 1 in it"});
    check_refused("selection.mode = 'all'", "1:18", {"expected one of \"single\", \"merge\""});
}

TEST_CASE("an unknown key is refused at its name, with the nearest known one") {
    check_refused("[probe]\n\n  intervall = '1s'", "3:3",
                  {"unknown key 'intervall' in [probe]", "did you mean 'interval'?"});
    check_refused("[probe]\nzzzzzzzz = 1", "2:1",
                  {"expected one of interval, timeout, hung_after"});
}

TEST_CASE("a key in the wrong table is sent to the right one") {
    check_refused("grace = '1s'", "1:1", {"unknown key 'grace'", "did you mean 'proxy.grace'?"});
    check_refused("[probe]\nlevel = 'info'", "2:1", {"did you mean 'log.level'?"});
}

TEST_CASE("what should be a table is refused where it is something else") {
    check_refused("probe = 3", "1:9", {"probe is 3, expected a table: [probe]"});
    check_refused("policy = 'newest'", "1:10",
                  {"policy is \"newest\", expected a table: [policy]; did you mean "
                   "'selection.policy'?"});
    check_refused("grace = '2s'", "1:1", {"unknown key 'grace'", "did you mean 'proxy.grace'?"});
    check_refused("[[probe]]", "1:1", {"probe is an array of tables, expected a table: [probe]"});
}

TEST_CASE("a value of the wrong type is refused at the value") {
    check_refused("[probe]\ninterval = 30", "2:12", {"probe.interval is 30, expected", "\"30s\""});
    check_refused("[probe]\ninterval = true", "2:12", {"probe.interval is true"});
    check_refused("[probe]\ninterval = ['1s']", "2:12", {"probe.interval is an array,"});
    check_refused("[probe]\ninterval = []", "2:12", {"probe.interval is an empty array,"});
    check_refused("[[fallback]]\ncommand = []", "2:11",
                  {"fallback.command is an empty array, expected an array of strings"});
    check_refused("[[upstream]]\ncommand = []", "2:11", {"upstream.command is an empty array"});
    check_refused("[discovery]\nforwarded = 'no'", "2:13", {"is \"no\", expected true or false"});
    check_refused("[discovery]\nglobs = '/a'", "2:9", {"is \"/a\", expected an array of strings"});
    check_refused("[discovery]\nglobs = ['/a', 3]", "2:16", {"discovery.globs has 3 in it"});
    check_refused("[proxy]\nmax_clients = '9'", "2:15", {"is \"9\", expected a whole number"});
    check_refused("[proxy]\nmax_clients = 1.5", "2:15", {"is a fraction"});
    check_refused("[log]\nlevel = 2024-01-01", "2:9", {"is a date or time"});
    check_refused("[log.level]", "1:1", {"log.level is a table"});
}

TEST_CASE("a bad duration is refused") {
    for (const char* text : {"", "30", "30 s", "1.5s", "-1s", "1d", "0s", "0ms", "99999h"})
        check_refused(fmt::format("probe.interval = '{}'", text), "1:18",
                      {"probe.interval is", "from 1ms to 8760h"});
}

TEST_CASE("only a grace of zero is a time") {
    CHECK(accepted_config("proxy.grace = '0ms'").proxy.grace == 0ms);
    for (const char* key :
         {"probe.timeout", "probe.hung_after", "proxy.list_timeout", "proxy.sign_timeout"})
        CHECK(contains(refused(fmt::format("{} = '0s'", key)), key));
}

TEST_CASE("an agent is not hung before it is late") {
    CHECK(accepted_config("probe = {timeout = '5s', hung_after = '5s'}").probe.hung_after == 5s);
    check_refused("[probe]\nhung_after = '1s'\ntimeout = '5s'", "2:14",
                  {"probe.hung_after is 1.0 s", "no less than probe.timeout, which is 5.0 s"});
    check_refused("[probe]\ntimeout = '11s'", "2:11", {"probe.hung_after is 10 s"});
    check_refused("[probe]\nhung_after = '1s'", "2:14", {"which is 2.0 s"});
}

TEST_CASE("the number of clients has bounds") {
    CHECK(accepted_config("proxy.max_clients = 1").proxy.max_clients == 1);
    CHECK(accepted_config("proxy.max_clients = 1_000_000").proxy.max_clients == 1'000'000);
    for (const char* text : {"0", "-1", "1000001", "9223372036854775807"})
        check_refused(fmt::format("proxy.max_clients = {}", text), "1:21",
                      {"a whole number from 1 to 1000000"});
}

TEST_CASE("a word that must be one of several is refused with the nearest") {
    check_refused("log.level = 'warnin'", "1:13",
                  {"is \"warnin\", expected one of \"error\", \"warning\", \"info\", \"debug\"",
                   "did you mean 'warning'?"});
    check_refused("selection.policy = 'oldest'", "1:20",
                  {"is \"oldest\", expected one of \"newest\", \"active-client\""});
}

TEST_CASE("a pattern that is refused is shown") {
    check_refused("discovery.globs = ['/a', 'b/c']", "1:26",
                  {"has \"b/c\" in it", "absolute path"});
    check_refused("discovery.globs = [\"/a\\u0000b\"]", "1:20", {"has \"/a\\x00b\"", "NUL"});
    CHECK(contains(parse_config("discovery.globs = ['~/a']", "f", "").error().message,
                   "home directory is not known"));
}

TEST_CASE("fallbacks are read in their order") {
    const Config config = accepted_config(R"(
        [[fallback]]
        socket = "~/.gnupg/S.gpg-agent.ssh"
        [[fallback]]
        command = ["npiperelay.exe", "-ei", "$X ~ %u *"]
        [[fallback]]
        command = ["~/bin/relay"]
        [[fallback]]
        local_keys = true
    )");
    REQUIRE(config.fallbacks.size() == 4);
    CHECK(config.fallbacks[0].socket == "/home/ann/.gnupg/S.gpg-agent.ssh");
    CHECK(config.fallbacks[1].command ==
          std::vector<std::string>{"npiperelay.exe", "-ei", "$X ~ %u *"});
    CHECK(config.fallbacks[2].command == std::vector<std::string>{"/home/ann/bin/relay"});
    CHECK(config.fallbacks[3].local_keys);
    CHECK(accepted_config("fallback = [ { local_keys = true } ]").fallbacks.size() == 1);
    CHECK(accepted_config("fallback = []").fallbacks.empty());
}

TEST_CASE("a fallback is one of three") {
    check_refused("[[fallback]]\nlocal_keys = true\n[[fallback]]\n",
                  "3:", {"fallback has 0 keys", "exactly one of socket, command, local_keys"});
    check_refused("[log]\n[[fallback]]\nlocal_keys = true\nsocket = '/a'",
                  "2:", {"fallback has 2 keys"});
    check_refused("[fallback]\nlocal_keys = true", "1:1",
                  {"fallback is a table, expected an array of tables: [[fallback]]"});
    check_refused("fallback = 'x'", "1:12", {"fallback is \"x\"", "[[fallback]]"});
    check_refused("fallback = [1]", "1:13", {"fallback has 1 in it", "[[fallback]]"});
    check_refused("[[fallback]]\nsockets = '/a'", "2:1",
                  {"unknown key 'sockets' in [fallback]", "did you mean 'socket'?"});
    check_refused("[[fallbacks]]\nsocket = '/a'", "1:3", {"did you mean 'fallback'?"});
    check_refused("[[fallback]]\nlocal_keys = true\n[[fallback]]\nlocal_keys = true",
                  "3:", {"an earlier one says already"});
    std::string many;
    for (std::size_t i = 0; i <= most_fallbacks; ++i)
        many += fmt::format("[[fallback]]\nsocket = '/{}'\n", i);
    check_refused(many, "33:", {"more than 16 fallbacks"});
}

TEST_CASE("the socket of a fallback is a path, of which nothing is guessed") {
    for (const char* value : {"'agent'", "'$HOME/a'", "'~bob/a'", "'%t/a'", "'/run/*/a'", "'/run/'",
                              "''", "1", "['/a']", "\"/a\\u0000\""})
        check_refused(fmt::format("[[fallback]]\nsocket = {}", value), "2:10",
                      {"fallback.socket is", "expected"});
}

TEST_CASE("the command of a fallback is words, the first of them a program") {
    for (const char* value : {"'relay'", "[]", "true"})
        check_refused(fmt::format("[[fallback]]\ncommand = {}", value), "2:11",
                      {"fallback.command is", "an array of strings"});
    for (const char* word : {"''", "'bin/relay'", "'./relay'", "'~bob/relay'", "'$RELAY'", "1"})
        check_refused(fmt::format("[[fallback]]\ncommand = [{}, 'x']", word), "2:12",
                      {"fallback.command has", "in it, expected"});
    check_refused("[[fallback]]\ncommand = ['relay', 2]", "2:21", {"has 2 in it"});
    check_refused("[[fallback]]\ncommand = ['relay', \"\\u0000\"]", "2:21", {"without NUL"});
}

TEST_CASE("local keys are asked for, or not mentioned") {
    for (const char* value : {"false", "'yes'", "1"})
        check_refused(fmt::format("[[fallback]]\nlocal_keys = {}", value), "2:14",
                      {"fallback.local_keys is", "expected true"});
}

TEST_CASE("what is no TOML is refused in one line") {
    check_refused("[probe]\ninterval = 30s", "2:14", {"this is not TOML", "stand in quotes"});
    check_refused("[discovery]\nglobs = [~/x]", "2:10", {"this is not TOML", "stand in quotes"});
    check_refused("[probe", "1:7", {"end-of-file"});
    check_refused("[?]", "1:2", {"this is not TOML: key", "saw '?'"});
    check_refused("[[\n", "1:3", {"this is not TOML: key"});
    check_refused("[probe]\ntimeout = '2s'\ntimeout = '3s'", "3:11", {"redefine", "'timeout'"});
    check_refused("[probe]\n[probe]", "2:1", {"redefine", "'probe'"});
    check_refused("a =\nb", "1:4", {"saw '\\n'"});
    check_refused("a = '\xff'", "1:5", {"utf-8"});
    check_refused(std::string_view("a = '\0'", 7), "1:6", {"control char"});
}

TEST_CASE("bytes of the file cannot drive the terminal that shows the message") {
    for (const char* text : {"\"a\\u001b[31m\" = 1", "log.level = \"\\u001b]0;\\u0007\"",
                             "log.level = '\xc2\x9b'", "\"\\n\" = 1", "a = \xc2\x9b"}) {
        const std::string message = refused(text);
        CHECK_MESSAGE(message.find_first_of("\x1b\x07\n\x9b") == std::string::npos, message);
    }
    CHECK(refused(fmt::format("log.level = '{}'", std::string(10'000, 'a'))).size() < 300);
}

TEST_CASE("of several errors the first in the file is told") {
    check_refused("[proxy]\nmax_clients = 0\n[discovery]\nforwarded = 1\n", "2:15",
                  {"max_clients"});
    check_refused("[probe]\ntimeout = 1\ninterval = 1", "2:11", {"probe.timeout"});
}

TEST_CASE("a huge configuration is refused") {
    CHECK(contains(refused(std::string(largest_config + 1, '#')), "larger than 1048576 bytes"));
    CHECK(accepted_config(std::string(largest_config, '#')) == Config{});
}

TEST_CASE("no depth of nesting ends the stack") {
    const auto repeated = [](std::string_view text) {
        std::string all;
        while (all.size() + text.size() + 64 < largest_config)
            all += text;
        return all;
    };
    const std::string deep = repeated("a.") + "a=1";
    constexpr std::string_view what = "a key of too many parts";
    check_refused("\n" + deep, "2:34:", {what});
    check_refused("[" + repeated("a . ") + "a]", "1:", {what});
    check_refused(repeated("'=#'.") + "a=1", "1:", {what});
    check_refused("a = " + repeated("["), "1:", {"this is not TOML"});
    check_refused("a = " + repeated("{a="), "1:", {"this is not TOML"});
    check_refused("a = " + repeated("[{a.a.a.a.a.a.a.a="), "1:", {"this is not TOML"});
}

TEST_CASE("letters that are not ASCII are taken in strings and comments, refused elsewhere") {
    CHECK(accepted_config("# \xc3\xa9\ndiscovery.globs = ['/\xd1\x96', \"/\xc3\xa9\"] #\xc3\xa9")
              .discovery.globs.back() == "/\xc3\xa9");
    CHECK(accepted_config("log.level = \"\"\"\\\n  debug\"\"\"").log_level == log::Level::debug);
    CHECK(accepted_config("\xef\xbb\xbflog.level = 'debug'").log_level == log::Level::debug);
    check_refused("[probe]\n\xd1\x96 = 1", "2:1:", {"this is not TOML"});
    check_refused("[probe]\na = '\xc3\xa9' \xd1\x96", "2:9:", {"this is not TOML"});
    check_refused("log.level = \"\"\"\\\n\xd1\x96\"\"\"", "1:13:", {"is \"\xd1\x96\""});
}

TEST_CASE("a missing file is the default configuration unless it was asked for") {
    const TempDir directory;
    const std::string path = directory.entry("livesock.toml");
    CHECK(*load_config(path, false) == Config{});
    CHECK(*load_config("", false) == Config{});
    CHECK(load_config(path, true).error().code == ENOENT);
    CHECK(contains(load_config(path, true).error().message, path));
    CHECK_FALSE(load_config("", true).ok());
}

TEST_CASE("a file is read, and named in what is wrong with it") {
    const TempDir directory;
    const std::string path = directory.write("livesock.toml", "[proxy]\nmax_clients = 5\n");
    CHECK(load_config(path, true)->proxy.max_clients == 5);
    directory.write("livesock.toml", "[proxy]\nmax_clients = 0\n");
    CHECK(load_config(path, false).error().message.starts_with(path + ":2:15: "));
    directory.write("livesock.toml", std::string(largest_config + 1, '#'));
    CHECK(contains(load_config(path, false).error().message, "larger than"));
}

TEST_CASE("stand_in stands before the first table") {
    CHECK(parse_config("", "f", "").value().stand_in == StandInMode::hung);
    CHECK(parse_config("stand_in = 'hung'", "f", "").value().stand_in == StandInMode::hung);
    CHECK(parse_config("stand_in = 'dead'", "f", "").value().stand_in == StandInMode::dead);
    CHECK(parse_config("stand_in = 'off'\n[probe]\n", "f", "").value().stand_in ==
          StandInMode::off);
    check_refused("stand_in = 'of'", "1:12", {"stand_in is \"of\"", "did you mean 'off'?"});
    check_refused("stand_in = false", "1:12", {"stand_in is false, expected one of"});
    check_refused("[stand_in]", "1:1", {"stand_in is a table"});
    check_refused("stand_ins = 'off'", "1:1",
                  {"unknown key 'stand_ins'", "or the key stand_in", "did you mean 'stand_in'?"});
    check_refused(
        "[proxy]\nstand_in = 'off'", "2:1",
        {"unknown key 'stand_in' in [proxy]", "'stand_in' stands before the first table"});
}

TEST_CASE("upstreams and listeners are read in their order") {
    const Config config = accepted_config(R"(
        [[upstream]]
        tcp = "172.16.0.1:7222"
        token_file = "~/token"
        [[upstream]]
        vsock = "host:7222"
        [[upstream]]
        command = ["relay", "--x"]
        [[upstream]]
        bus = "http://127.0.0.1:498/v1/publish"
        [[listen]]
        tcp = "[::1]:7222"
        [[listen]]
        vsock = "any:7222"
        cids = [3, 4]
        [[listen]]
        path = "~/further.sock"
    )");
    REQUIRE(config.upstreams.size() == 4);
    CHECK(config.upstreams[0].tcp == "172.16.0.1:7222");
    CHECK(config.upstreams[0].token_file == "/home/ann/token");
    CHECK(config.upstreams[1].vsock == "host:7222");
    CHECK(config.upstreams[2].command == std::vector<std::string>{"relay", "--x"});
    CHECK(config.upstreams[3].bus == "http://127.0.0.1:498/v1/publish");
    REQUIRE(config.listens.size() == 3);
    CHECK(config.listens[0].name() == "[::1]:7222");
    CHECK(config.listens[1].cids == std::vector<unsigned>{3, 4});
    CHECK(config.listens[2].path == "/home/ann/further.sock");
}

TEST_CASE("an upstream has one way, and what it needs to be safe") {
    check_refused("[[upstream]]\n", "1:", {"has 0 of", "expected exactly one"});
    check_refused("[[upstream]]\ntcp = '127.0.0.1:1'\nbus = 'http://127.0.0.1/'\n",
                  "1:", {"has 2 of"});
    check_refused("[[upstream]]\ntcp = 'example.org:1'\n", "2:7", {"names are not looked up"});
    check_refused("[[upstream]]\ntcp = 7\n", "2:7", {"upstream.tcp is 7"});
    check_refused("[[upstream]]\ntcp = '10.0.0.1:1'\n", "1:", {"needs a token_file"});
    check_refused("[[upstream]]\nvsock = 'any:1'\n", "1:", {"one machine"});
    check_refused("[[upstream]]\nbus = 'https://127.0.0.1/'\n", "2:7", {"a URL"});
    check_refused("[[upstream]]\ncommand = ['a']\ntoken_file = '/t'\n", "1:", {"token_file is"});
    check_refused("[[upstream]]\nvsock = '2:1'\n[[upstream]]\nvsock = '2:1'\n",
                  "3:", {"an earlier one"});
}

TEST_CASE("a listener that others can reach needs something that tells them apart") {
    check_refused("[[listen]]\ntcp = '0.0.0.0:1'\n", "1:", {"needs a token_file"});
    check_refused("[[listen]]\ntcp = '192.168.0.1:1'\n", "1:", {"needs a token_file"});
    check_refused("[[listen]]\nvsock = '2:1'\n", "1:", {"needs a token_file, or the cids"});
    check_refused("[[listen]]\nvsock = '2:1'\ncids = []\n", "3:8",
                  {"listen.cids is an empty array, expected an array of numbers"});
    check_refused("[[listen]]\nvsock = '2:1'\ncids = [-1]\n", "3:9", {"numbers of virtual"});
    check_refused("[[listen]]\nvsock = '2:1'\ncids = [4294967295]\n", "3:9", {"numbers of"});
    check_refused("[[listen]]\ntcp = '127.0.0.1:1'\ncids = [3]\n", "1:", {"cids is for vsock"});
    check_refused("[[listen]]\npath = '/a'\ntoken_file = '/t'\n", "1:", {"this user alone"});
    accepted_config("[[listen]]\ntcp = '127.0.0.1:1'\n");
    accepted_config("[[listen]]\ntcp = '0.0.0.0:1'\ntoken_file = '/t'\n");
}

TEST_CASE("an upstream that leads to our own listener is refused") {
    check_refused("[[listen]]\ntcp = '127.0.0.1:1'\n[[upstream]]\ntcp = '127.0.0.1:1'\n",
                  "3:", {"in a circle"});
    accepted_config("[[listen]]\ntcp = '127.0.0.1:1'\n[[upstream]]\ntcp = '127.0.0.1:2'\n");
    SUBCASE("by another name") {
        const std::string listen = "[[listen]]\ntoken_file = '/t'\n";
        for (const char* const tcp : {"0.0.0.0:1", "localhost:1"})
            check_refused(
                fmt::format("{}tcp = '{}'\n[[upstream]]\ntcp = '127.0.0.1:1'\n", listen, tcp),
                "4:", {"in a circle"});
        for (const char* const vsock : {"any:1", "1:1"})
            check_refused(
                fmt::format("{}vsock = '{}'\n[[upstream]]\nvsock = 'local:1'\ntoken_file = '/t'\n",
                            listen, vsock),
                "4:", {"in a circle"});
        // Of a virtual machine, that serves what its host has.
        accepted_config(listen + "vsock = 'any:1'\n[[upstream]]\nvsock = 'host:1'\n");
    }
    SUBCASE("of guests, too") {
        const std::string bus = "[[upstream]]\nbus = 'http://localhost:7333/'\n";
        const std::string listen = "[[broker.listen]]\nname = 'vm'\ntoken_file = '/t'\n"
                                   "address = 'tcp:127.0.0.1:733";
        check_refused(bus + listen + "3'\n", "1:", {"[[broker.listen]]", "in a circle"});
        accepted_config(bus + listen + "4'\n");
        check_refused(bus + "[[broker.listen]]\nname = 'vm'\ntoken_file = '/t'\n"
                            "address = 'tcp:0.0.0.0:7333'\n",
                      "1:", {"in a circle"});
    }
}

TEST_CASE("labels are by the address of a client or the path of a socket") {
    const Config config =
        accepted_config("[labels]\n\"10.0.0.5\" = 'laptop'\n'fe80::1%eth0' = 'tower'\n"
                        "\"/a b/c\" = 'work'\n\"~/agent\" = 'home'\n");
    CHECK(config.labels == Labels{{"10.0.0.5", "laptop"},
                                  {"fe80::1%eth0", "tower"},
                                  {"/a b/c", "work"},
                                  {"/home/ann/agent", "home"}});
    check_refused("labels = 1", "1:10", {"labels is 1, expected a table: [labels]"});
    check_refused("[labels]\nlaptop = 'x'", "2:1",
                  {"unknown key 'laptop' in [labels], expected an address"});
    check_refused("[labels]\n10.0.0.5 = 'x'", "2:1", {"unknown key '10'", "in quotes"});
    check_refused("[labels]\n\"10.0.0.5\" = ''", "2:14", {"is \"\", expected a string of 1 to"});
    check_refused("[labels]\n\"10.0.0.5\" = 5", "2:14", {"labels.\"10.0.0.5\" is 5"});
    check_refused("[labels]\n\"::1\" = '" + std::string(65, 'x') + '\'', "2:9", {"64 bytes"});
    std::string many = "[labels]\n";
    for (int i = 0; i < 257; ++i)
        many += "\"/" + std::to_string(i) + "\" = 'x'\n";
    check_refused(many, "1:1", {"more than 256 labels"});
}

TEST_CASE("the policy may be to follow the client that types") {
    CHECK(accepted_config("selection.policy = 'active-client'").selection.policy ==
          SelectionPolicy::active_client);
}
