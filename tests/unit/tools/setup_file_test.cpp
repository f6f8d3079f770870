#include "tools/setup_file.hpp"

#include "tests/support/temp_dir.hpp"

#include <filesystem>

#include <doctest/doctest.h>

using namespace livesock;

namespace {

/// A start file that says "now", beside a backup of it that says "earlier".
struct Kept {
    Kept() {
        temp.write("rc", "now");
        temp.write("rc.livesock-backup", "earlier");
    }

    SetupFile file() const {
        const Result<SetupFile> file = read_setup_file(temp.entry("rc"));
        REQUIRE(file);
        return *file;
    }

    TempDir temp;
};

} // namespace

TEST_CASE_FIXTURE(Kept, "an older backup gets another name when a file is replaced") {
    const Result<std::string> older = replace(file(), "new", true);
    REQUIRE(older);
    CHECK(*older == temp.entry("rc.livesock-backup.1"));
    CHECK(temp.read("rc") == "new");
    CHECK(temp.read("rc.livesock-backup") == "now");
    CHECK(temp.read("rc.livesock-backup.1") == "earlier");
}

TEST_CASE_FIXTURE(Kept, "nothing is changed where a file was changed in the meantime") {
    const SetupFile file = this->file();
    temp.write("rc", "changed");
    CHECK(!replace(file, "new", true));
    CHECK(temp.read("rc") == "changed");
    CHECK(temp.read("rc.livesock-backup") == "earlier");
    CHECK(!std::filesystem::exists(temp.entry("rc.livesock-backup.1")));
}
