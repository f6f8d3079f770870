#include "supervisor/control/request.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace livesock;
using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE("a member that is no string is as good as none") {
    const json request = {{"path", "/a"}, {"number", 1}, {"nothing", nullptr}};
    CHECK(text_of(request, "path") == "/a");
    CHECK(text_of(request, "number").empty());
    CHECK(text_of(request, "nothing").empty());
    CHECK(text_of(request, "missing").empty());
}

TEST_CASE("a duration is brought into its limits, whatever number it is") {
    const auto read = [](const json& value) {
        return duration_of({{"timeout_ms", value}}, "timeout_ms", 1h);
    };
    CHECK(read(1500) == 1500ms);
    CHECK(read(0.5) == 0ms);
    CHECK(read(-1) == 0ms);
    CHECK(read(3'600'001) == 1h);
    CHECK(read(1e300) == 1h);
    CHECK(read(std::uint64_t{0xffffffffffffffff}) == 1h);
    CHECK_FALSE(read("5"));
    CHECK_FALSE(read(nullptr));
    CHECK_FALSE(duration_of(json::object(), "timeout_ms", 1h));
}
