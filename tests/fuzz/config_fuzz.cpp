// Whatever is in livesock.toml: the parser neither crashes nor hands out a configuration that is
// out of range, and its message is one printable line.
#include "supervisor/daemon/config.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace livesock;

namespace {

void require(bool claim) {
    if (!claim)
        std::abort();
}

bool in_range(const Config& config) {
    const ProbeSettings& probe = config.probe;
    const ProxySettings& proxy = config.proxy;
    const auto& globs = config.discovery.globs;
    return probe.interval.count() > 0 && probe.timeout.count() > 0 &&
           probe.hung_after >= probe.timeout && proxy.grace.count() >= 0 &&
           proxy.list_timeout.count() > 0 && proxy.sign_timeout.count() > 0 &&
           proxy.max_clients >= 1 && proxy.max_clients <= 1'000'000 &&
           std::all_of(globs.begin(), globs.end(),
                       [](const std::string& glob) { return glob.starts_with('/'); });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<Config> config = parse_config(text, "livesock.toml", "/home/ann");
    if (config) {
        require(in_range(*config));
    } else {
        const std::string& message = config.error().message;
        require(message.starts_with("livesock.toml:"));
        require(std::none_of(message.begin(), message.end(),
                             [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
    }
    return 0;
}
