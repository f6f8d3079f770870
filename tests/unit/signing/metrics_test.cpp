#include "supervisor/signing/metrics.hpp"

#include <doctest/doctest.h>

using namespace livesock;
using namespace std::chrono_literals;

TEST_CASE("metrics are cumulative, and labels are escaped") {
    SigningMetrics metrics;
    metrics.answered(200);
    metrics.answered(200);
    metrics.answered(429);
    metrics.signed_in(4ms);
    metrics.signed_in(70ms);
    metrics.signed_in(40s);
    const std::string text = to_prometheus(metrics, "a\"b\\c\nd", 2, {.live = 1, .hung = 3});
    const auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
    CHECK(has("requests_total{listener=\"a\\\"b\\\\c\\nd\",code=\"200\"} 2\n"));
    CHECK(has("code=\"429\"} 1\n"));
    CHECK(has("le=\"0.005\"} 1\n"));
    CHECK(has("le=\"0.05\"} 1\n"));
    CHECK(has("le=\"0.1\"} 2\n"));
    CHECK(has("le=\"30\"} 2\n"));
    CHECK(has("le=\"+Inf\"} 3\n"));
    CHECK(has("in_progress{listener=\"a\\\"b\\\\c\\nd\"} 2\n"));
    CHECK(has("livesock_agents{state=\"hung\"} 3\n"));
    CHECK(metrics.good() == 2);
    CHECK(metrics.refused() == 1);
}
