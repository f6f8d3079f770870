#include "supervisor/upstream/report_publisher.hpp"

#include "supervisor/base/runtime_dir.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sys/inotify.h>
#include <unistd.h>

using namespace livesock;

namespace {

namespace fs = std::filesystem;

struct Published {
    TempDir temp;
    RuntimeDir directory = std::move(*RuntimeDir::make(temp.entry("r")));
    fs::path link = directory.entry("live");

    /// Where `live` leads; empty if it is absent.
    std::string target() const {
        std::error_code absent;
        return fs::read_symlink(link, absent).string();
    }
    /// How many entries the directory has.
    std::ptrdiff_t entries() const {
        return std::distance(fs::directory_iterator(directory.path()), {});
    }
};

} // namespace

TEST_CASE("the live agent is where `live` leads") {
    const Published published;
    ReportPublisher publisher(published.directory);
    CHECK(published.target().empty());
    publisher.publish("/tmp/ssh-a/agent.1");
    CHECK(published.target() == "/tmp/ssh-a/agent.1");
    publisher.publish("/tmp/ssh-b/agent.2");
    CHECK(published.target() == "/tmp/ssh-b/agent.2");
    CHECK(published.entries() == 1);
}

TEST_CASE("while no agent is live `live` is absent") {
    const Published published;
    ReportPublisher publisher(published.directory);
    publisher.publish("/a");
    publisher.publish(std::nullopt);
    CHECK(!fs::exists(fs::symlink_status(published.link)));
    CHECK(published.entries() == 0);
    publisher.publish("/a");
    CHECK(published.target() == "/a");
}

TEST_CASE("what a predecessor published is withdrawn") {
    const Published published;
    fs::create_symlink("/stale", published.link);
    const ReportPublisher publisher(published.directory);
    CHECK(published.target().empty());
}

TEST_CASE("what a predecessor left half-made does not hinder") {
    const Published published;
    fs::create_symlink("/half", published.link.string() + ".new");
    ReportPublisher publisher(published.directory);
    publisher.publish("/a");
    CHECK(published.target() == "/a");
    CHECK(published.entries() == 1);
}

TEST_CASE("the change is atomic: `live` is replaced by a rename and never deleted") {
    const Published published;
    ReportPublisher publisher(published.directory);
    publisher.publish("/a");
    const UniqueFd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    REQUIRE(::inotify_add_watch(watch.get(), published.directory.path().c_str(), IN_ALL_EVENTS) >=
            0);
    publisher.publish("/b");
    alignas(inotify_event) char buffer[4096];
    const ssize_t count = ::read(watch.get(), buffer, sizeof buffer);
    bool is_renamed = false;
    for (ssize_t at = 0; at < count;) {
        const auto* const event = reinterpret_cast<const inotify_event*>(buffer + at);
        const std::string_view name(event->len > 0 ? event->name : "");
        if (name == "live") {
            CHECK((event->mask & (IN_DELETE | IN_CREATE)) == 0);
            is_renamed |= (event->mask & IN_MOVED_TO) != 0;
        }
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    CHECK(is_renamed);
}

TEST_CASE("a failure is tried again at the next call") {
    const Published published;
    ReportPublisher publisher(published.directory);
    fs::remove_all(published.directory.path());
    publisher.publish("/a");
    fs::create_directory(published.directory.path());
    publisher.publish("/a");
    CHECK(published.target() == "/a");
}

TEST_CASE("`live` that somebody else has removed is no failure when it is withdrawn") {
    const Published published;
    ReportPublisher publisher(published.directory);
    publisher.publish("/a");
    fs::remove(published.link);
    publisher.publish(std::nullopt);
    publisher.publish("/a");
    CHECK(published.target() == "/a");
}

TEST_CASE("what a predecessor publishes stays until it lets go") {
    const Published published;
    ReportPublisher predecessor(published.directory);
    predecessor.publish("/tmp/ssh-a/agent.1");
    ReportPublisher successor(published.directory, ReportPublisher::Held{});
    successor.publish(std::nullopt);
    CHECK(published.target() == "/tmp/ssh-a/agent.1");
    predecessor.hold();
    predecessor.publish(std::nullopt);
    CHECK(published.target() == "/tmp/ssh-a/agent.1");
    SUBCASE("and then leads to another") {
        successor.publish("/tmp/ssh-b/agent.2");
        CHECK(published.target() == "/tmp/ssh-a/agent.1");
        successor.release();
        CHECK(published.target() == "/tmp/ssh-b/agent.2");
    }
    SUBCASE("and then is withdrawn") {
        successor.release();
        CHECK(published.target().empty());
    }
}

TEST_CASE("`live` is made again where it was deleted, and not where it should be absent") {
    const Published published;
    ReportPublisher publisher(published.directory);
    publisher.restore();
    CHECK(published.target().empty());
    publisher.publish("/tmp/ssh-a/agent.1");
    fs::remove(published.link);
    publisher.restore();
    CHECK(published.target() == "/tmp/ssh-a/agent.1");
}

TEST_CASE("what has the name of `live` is left alone, and nothing beside it") {
    const Published published;
    fs::create_directory(published.link);
    ReportPublisher publisher(published.directory);
    publisher.publish("/tmp/ssh-a/agent.1");
    CHECK(fs::is_directory(published.link));
    CHECK_FALSE(fs::exists(fs::symlink_status(published.link.string() + ".new")));
    fs::remove(published.link);
    publisher.restore();
    CHECK(published.target() == "/tmp/ssh-a/agent.1");
}

TEST_CASE("`live` is made when its directory is back, if it could not be made before") {
    const Published published;
    ReportPublisher publisher(published.directory);
    const std::string moved = published.directory.path() + ".moved";
    fs::rename(published.directory.path(), moved);
    publisher.publish("/tmp/ssh-a/agent.1");
    publisher.restore();
    fs::rename(moved, published.directory.path());
    publisher.restore();
    CHECK(published.target() == "/tmp/ssh-a/agent.1");
}
