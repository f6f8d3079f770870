#include "tests/unit/daemon/parsed.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

BrokerSettings accepted_broker(std::string_view text) {
    return accepted_config(text).broker;
}

/// A listener at `address` with one line more.
std::string listener(std::string_view address, std::string_view line = "") {
    return fmt::format("[[broker.listen]]\nname = 'guest'\naddress = '{}'\n{}\n", address, line);
}

} // namespace

TEST_CASE("every key of the broker is read") {
    const BrokerSettings broker = accepted_broker(fmt::format(R"(
        [broker]
        server = "http://localhost:8080"
        server_uids = [998, 0]
        mode = "local-keys"
        keys = ["{0}"]
        rate = 7
        approve = "session"
        approve_command = ["/bin/ask", "-x"]
        approve_timeout = "5s"
        audit = "~/audit"
        [[broker.guest]]
        name = "box"
        keys = ["{0}"]
        rate = 8
        approve = "always"
        [[broker.listen]]
        address = "unix:~/guest.sock"
        token_file = "~/tokens"
        hosts = ["10.0.2.2", "host.example:80"]
        name = "vm"
        keys = ["{0}"]
        rate = 9
        approve = "never"
    )",
                                                              some_key));
    CHECK(broker.server == "http://localhost:8080");
    CHECK(broker.server_uids == std::vector<uid_t>{998, 0});
    CHECK(broker.mode == BackendMode::local_keys);
    CHECK(broker.others == GuestSettings{"bus", {some_key}, 7, Approval::session});
    CHECK(broker.approve_command == std::vector<std::string>{"/bin/ask", "-x"});
    CHECK(broker.approve_timeout == 5s);
    CHECK(broker.audit == "/home/ann/audit");
    REQUIRE(broker.guests.size() == 1);
    CHECK(broker.guests[0] == GuestSettings{"box", {some_key}, 8, Approval::always});
    REQUIRE(broker.listens.size() == 1);
    CHECK(broker.listens[0].address == "unix:/home/ann/guest.sock");
    CHECK(broker.listens[0].token_file == "/home/ann/tokens");
    CHECK(broker.listens[0].hosts == std::vector<std::string>{"10.0.2.2", "host.example:80"});
    CHECK(broker.listens[0].guest == GuestSettings{"vm", {some_key}, 9, Approval::never});
}

TEST_CASE("an address that others can reach needs a token") {
    for (const char* const address : {"tcp:0.0.0.0:1", "tcp:[::]:1", "tcp:172.16.0.1:498"}) {
        check_refused(listener(address), "1:1", "others can reach: it needs a token_file");
        CHECK(accepted_broker(listener(address, "token_file = '/t'")).listens.size() == 1);
    }
    check_refused(listener("vsock:1"), "1:1", "every virtual machine can reach");
    CHECK(accepted_broker(listener("vsock:1", "token_file = '/t'")).listens.size() == 1);
    for (const char* const address : {"unix:/s", "tcp:127.0.0.1:1", "tcp:[::1]:1"})
        CHECK(accepted_broker(listener(address)).listens[0].address == address);
}

TEST_CASE("what a broker cannot be is refused where it stands") {
    for (const char* const address :
         {"", "/s", "unix:s", "unix:~other/s", "tcp:1", "tcp:unix:/s", "tcp:example.org:1",
          "vsock:", "vsock:any:1", "vsock:0", "127.0.0.1:1", "udp:127.0.0.1:1"})
        check_refused(listener(address), "3:11", "expected");
    check_refused("[[broker.listen]]\nname = 'guest'\n", "1:", "no address");
    check_refused("[[broker.listen]]\naddress = 'unix:/s'\n", "1:", "no name");
    check_refused("[[broker.guest]]\nrate = 1\n", "1:", "no name");
    check_refused(listener("unix:/s", "keys = ['alice']"), "4:9", "SHA256:");
    check_refused(listener("unix:/s", "hosts = ['']"), "4:10", "not empty");
    check_refused(listener("unix:/s", "rate = 0"), "4:8", "from 1");
    check_refused(listener("unix:/s", "approve = 'yes'"), "4:11", "\"session\"");
    check_refused(listener("unix:/s", "approve = 'always'"), "4:11", "approve_command");
    check_refused("[broker]\napprove = 'session'\n", "2:11", "approve_command");
    check_refused("[[broker.guest]]\nname = 'a'\napprove = 'always'\n", "3:11", "approve_command");
    check_refused(listener("unix:/s", "key = []"), "4:1", "did you mean 'keys'?");
    check_refused(listener("unix:/s") + "[[broker.guest]]\nname = 'guest'\n", "2:8", "two guests");
    check_refused(listener("unix:/s") + "[[broker.guest]]\nname = 'bus'\n", "6:8", "two guests");
    check_refused(listener("unix:/s") + "[[broker.listen]]\nname = 'b'\naddress = 'unix:/s'\n",
                  "7:11", "twice");
    for (const char* const name : {"", "a b", "-a", "a/b", "a\\nb"})
        check_refused(fmt::format("[[broker.guest]]\nname = \"{}\"\n", name), "2:8", "letters");
    check_refused("[broker]\nserver = 'http://example.org'\n", "2:10", "not looked up");
    check_refused("[broker]\nserver = 'https://127.0.0.1'\n", "2:10", "http://localhost:8080");
    check_refused("[broker]\nserver_uids = ['root']\n", "2:", "user IDs");
    check_refused("[broker]\nserver_uids = [-1]\n", "2:", "user IDs");
    check_refused("broker = 1\n", "1:10", "[broker]");
}
