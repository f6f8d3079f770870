#include "supervisor/broker/approver.hpp"

#include "tests/support/contains.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

namespace {

const std::string key = "SHA256:abc";

struct Asking {
    TempDir temp;
    EventLoop loop = make_loop();
    Children children{loop};
    Approver approver{loop, children};
    GuestSettings guest{.name = "vm", .keys = {}, .approve = Approval::always};
    std::vector<Decision> decisions;

    explicit Asking(const std::string& script = "exit 0", Duration limit = 1h) {
        use(script, limit);
    }
    /// "$T" in the script is a private directory; each question is a line of $T/asked.
    void use(const std::string& script, Duration limit = 1h) {
        approver.apply({"sh", "-c",
                        "T=" + temp.path() +
                            R"(; printf '%s|' "$#" "$@" >>$T/asked; echo >>$T/asked; )" + script,
                        "ask"},
                       limit);
    }
    Approver::Id ask(const std::string& about = key) {
        return approver.ask(guest, about,
                            [this](const Decision& decision) { decisions.push_back(decision); });
    }
    Decision decision(const std::string& about = key) {
        const std::size_t before = decisions.size();
        ask(about);
        REQUIRE(run_until(loop, [&] { return decisions.size() > before; }));
        CHECK(decisions.size() == before + 1);
        return decisions.back();
    }
    long times_asked() const {
        const std::string text = temp.read("asked");
        return std::count(text.begin(), text.end(), '\n');
    }
    void wait_for_questions(long count) {
        REQUIRE(run_until(loop, [&] { return times_asked() == count; }));
    }
    bool all_ended() {
        return run_until(loop, [&] { return children.count() == 0 && approver.questions() == 0; });
    }
};

} // namespace

TEST_CASE("where nobody is to be asked, nobody is") {
    Asking asking("exit 1");
    asking.guest.approve = Approval::never;
    asking.ask();
    REQUIRE(asking.decisions.size() == 1); // within the call
    CHECK(asking.decisions[0].is_approved);
    CHECK(asking.decisions[0].approval == "none");
    CHECK(asking.children.count() == 0);
}

TEST_CASE("with always, each signature has a question of its own") {
    Asking asking;
    for (int i = 0; i < 2; ++i) {
        const Decision decision = asking.decision();
        CHECK(decision.is_approved);
        CHECK(decision.approval == "asked");
        CHECK(decision.reason.empty());
    }
    CHECK(asking.times_asked() == 2);
    asking.ask();
    asking.ask();
    asking.wait_for_questions(4);
    CHECK(asking.all_ended());
}

TEST_CASE("with session, a yes is remembered for that guest and that key") {
    Asking asking;
    asking.guest.approve = Approval::session;
    CHECK(asking.decision().approval == "asked");
    const Decision again = asking.decision();
    CHECK(again.is_approved);
    CHECK(again.approval == "remembered");
    CHECK(asking.times_asked() == 1);
    CHECK(asking.decision("SHA256:other").approval == "asked");
    asking.guest.name = "vm2";
    CHECK(asking.decision().approval == "asked");
    asking.guest.name = "vm";
    asking.use("exit 0"); // the configuration was read
    CHECK(asking.decision().approval == "asked");
    CHECK(asking.times_asked() == 4);
}

TEST_CASE("with session, those who come while somebody is being asked wait for that answer") {
    Asking asking("until test -e $T/go; do sleep 0.01; done; exit 0");
    asking.guest.approve = Approval::session;
    asking.ask();
    asking.ask();
    asking.wait_for_questions(1);
    CHECK(asking.children.count() == 1);
    asking.temp.write("go", "");
    REQUIRE(run_until(asking.loop, [&] { return asking.decisions.size() == 2; }));
    CHECK(asking.decisions[1].is_approved);
    CHECK(asking.times_asked() == 1);
}

TEST_CASE("whatever is no yes is a no, says why, and is not remembered") {
    Asking asking;
    asking.guest.approve = Approval::session;
    std::string why;
    SUBCASE("another exit status") {
        asking.use("exit 3");
        why = "approve_command ended with status 3";
    }
    SUBCASE("a signal") {
        asking.use("kill -9 $$");
        why = "approve_command was ended by signal 9";
    }
    SUBCASE("no program") {
        asking.approver.apply({"/nonexistent/ask"}, 1h);
        why = "approve_command cannot be started";
    }
    SUBCASE("no answer in time") {
        asking.use("exec sleep 1000", 20ms);
        why = "nobody has answered within 20 ms";
    }
    for (int i = 0; i < 2; ++i) {
        const Decision decision = asking.decision();
        CHECK_FALSE(decision.is_approved);
        CHECK(decision.approval == "refused");
        CHECK(decision.reason == why);
    }
    CHECK(asking.all_ended());
}

TEST_CASE("the words are the command's, the guest's name and the key, whatever is in them") {
    Asking asking;
    asking.guest.name = "$(touch pwned) `touch pwned`; *";
    CHECK(asking.decision("-k \"x\"").is_approved);
    CHECK(asking.temp.read("asked") == "2|$(touch pwned) `touch pwned`; *|-k \"x\"|\n");
}

TEST_CASE("who reads the configuration again has the questions withdrawn, with a no") {
    Asking asking("exec sleep 1000");
    asking.ask();
    asking.wait_for_questions(1);
    asking.use("exit 0");
    REQUIRE(asking.decisions.size() == 1);
    CHECK_FALSE(asking.decisions[0].is_approved);
    CHECK(contains(asking.decisions[0].reason, "configuration"));
    CHECK(asking.all_ended());
    CHECK(asking.decisions.size() == 1);
}

TEST_CASE("a question for which nobody waits any more is withdrawn") {
    Asking asking("exec sleep 1000");
    asking.guest.approve = Approval::session;
    const Approver::Id one = asking.ask();
    const Approver::Id two = asking.ask();
    asking.wait_for_questions(1);
    asking.approver.cancel(one);
    settle(asking.loop);
    CHECK(asking.children.count() == 1);
    asking.approver.cancel(two);
    CHECK(asking.all_ended());
    CHECK(asking.decisions.empty());
}

TEST_CASE("a guest has so many questions at once, and leaves room for those of others") {
    Asking asking("exec sleep 1000");
    for (std::size_t i = 0; i < most_guest_questions; ++i)
        asking.ask();
    CHECK(asking.decisions.empty());
    asking.ask();
    REQUIRE(asking.decisions.size() == 1);
    CHECK_FALSE(asking.decisions[0].is_approved);
    CHECK(contains(asking.decisions[0].reason, "too many questions"));
    for (std::size_t i = most_guest_questions; i < most_questions; ++i) {
        asking.guest.name = "vm" + std::to_string(i);
        asking.ask();
    }
    CHECK(asking.decisions.size() == 1);
    CHECK(asking.approver.questions() == most_questions);
    asking.guest.name = "another";
    asking.ask();
    REQUIRE(asking.decisions.size() == 2);
    CHECK(contains(asking.decisions[1].reason, "too many questions"));
}

TEST_CASE("no question outlives the supervisor") {
    TempDir temp;
    EventLoop loop = make_loop();
    Children children(loop);
    {
        Approver approver(loop, children);
        approver.apply({"sh", "-c", "exec sleep 1000"}, 1h);
        approver.ask({.name = "vm", .keys = {}, .approve = Approval::always}, key,
                     [](const Decision&) { FAIL("nobody is there to be told"); });
        CHECK(children.count() == 1);
    }
    CHECK(run_until(loop, [&] { return children.count() == 0; }));
}
