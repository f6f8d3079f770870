// Signatures a second through the signing endpoint, beside the agent's own.
#include "tests/bench/failure.hpp"
#include "tests/bench/http_load.hpp"
#include "tests/bench/rows.hpp"

namespace livesock::bench {
namespace {

constexpr int crowds[] = {1, 8, 64};

/// As large as a commit.
constexpr std::size_t message_size = 300;

/// What a signature costs besides the agent's part is HTTP, a hash, and the list that finds the
/// key.
constexpr double least_ratio = 0.4;

} // namespace

void measure_signing(Bench& bench) {
    const std::string path = bench.site.root() + "/sign.sock";
    const Subject subject = Subject::livesockd_with_agent(bench.site, Discovery::off,
                                                          "[[signing]]\nlisten = \"unix:" + path +
                                                              "\"\nrate = 1000000\n");
    const sockaddr_un endpoint = socket_address(path);
    const Exchange over_http = sign_over_http(message_size);
    const Exchange direct = sign_at_agent(bench.site.sign_with_ed25519());
    for (const int clients : crowds) {
        long errors = 0;
        long direct_errors = 0;
        const auto block = [&](const sockaddr_un& address, const Exchange& exchange, long& count) {
            const LoadResult result =
                run_exchanges(address, clients, exchange, std::chrono::milliseconds(1000));
            count += result.errors;
            return result.requests_per_second;
        };
        const Comparison comparison =
            interleave([&] { return block(endpoint, over_http, errors); },
                       [&] { return block(bench.site.agent(), direct, direct_errors); },
                       bench.rounds(9, 3), nullptr);
        Row row = as_row("signatures a second over HTTP, " + std::to_string(clients) + " clients",
                         comparison, Unit::per_second, {Bound::ratio_at_least, least_ratio});
        row.sound = errors == 0;
        row.note = std::to_string(errors) + " errors, direct " + std::to_string(direct_errors);
        bench.table.add(row);
    }
}

} // namespace livesock::bench
