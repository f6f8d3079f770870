// The checks of the preload library, and of what gets in its way.
#include "supervisor/base/escape.hpp"
#include "tools/doctor_checks.hpp"
#include "tools/phrases.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace livesock {
namespace {

const PreloadEntry* shim_in(const PreloadState& preload) {
    const auto found = std::find_if(preload.entries.begin(), preload.entries.end(),
                                    [](const PreloadEntry& entry) { return entry.is_shim; });
    return found == preload.entries.end() ? nullptr : &*found;
}

/// LD_PRELOAD without the entry `path`.
std::string without(const PreloadState& preload, const std::string& path) {
    std::string value;
    for (const PreloadEntry& entry : preload.entries)
        if (entry.path != path)
            value += (value.empty() ? "" : ":") + entry.path;
    return value;
}

std::string names_of(const std::vector<const AgentProgram*>& programs) {
    std::string names;
    for (const AgentProgram* const program : programs)
        names += (names.empty() ? "" : ", ") + shown(program->name, longest_label);
    return names;
}

} // namespace

Findings check_shim(const DoctorFacts& facts) {
    const PreloadState& preload = facts.preload;
    const PreloadEntry* const shim = shim_in(preload);
    if (shim != nullptr && !shim->exists) {
        const std::string text =
            fmt::format("LD_PRELOAD names {}, which is not there: every program complains",
                        escaped(shim->path));
        return {bad(text, preload.installed.empty()
                              ? export_command_of(facts, "LD_PRELOAD", without(preload, shim->path))
                              : export_command_of(facts, "LD_PRELOAD",
                                                  composed_preload(without(preload, shim->path),
                                                                   preload.installed)))};
    }
    if (shim == nullptr && !relies_on_shim(facts))
        return {nothing("not preloaded here, and not needed")};
    if (shim == nullptr)
        return {facts.socket.state == SocketState::answers
                    ? nothing("not preloaded here")
                    : bad("not preloaded: programs started here do not leave a dead path",
                          env_command_of(facts, true))};
    if (!preload.is_loaded)
        return {bad("LD_PRELOAD names it, but the loader has not loaded it into this program: it "
                    "may be of another architecture, or forbidden by AppArmor",
                    env_command_of(facts, true))};
    if (facts.livesock_dir.empty())
        return {bad("it is loaded, but does nothing: LIVESOCK_DIR is not set",
                    env_command_of(facts, true))};
    return {good("loaded into what is started here")};
}

Findings check_programs(const DoctorFacts& facts) {
    std::vector<const AgentProgram*> deaf;
    for (const AgentProgram& program : facts.programs)
        if (program.is_static || program.is_privileged)
            deaf.push_back(&program);
    if (deaf.empty())
        return {good("none of those in PATH that ask agents ignores the shim")};
    const std::string text = fmt::format("{} {} the shim (static, setuid or setgid)",
                                         names_of(deaf), deaf.size() == 1 ? "ignores" : "ignore");
    if (relies_on_shim(facts) && facts.socket.state != SocketState::answers)
        return {bad(text + ", and the path here is dead", env_command_of(facts))};
    return {good(text + ", and need not have it here")};
}

Findings check_preload_order(const DoctorFacts& facts) {
    const PreloadState& preload = facts.preload;
    const auto is_shim = [](const PreloadEntry& entry) { return entry.is_shim; };
    const auto count = std::count_if(preload.entries.begin(), preload.entries.end(), is_shim);
    if (count == 0)
        return {nothing(preload.entries.empty() ? "there are none"
                                                : "livesock's is not among "
                                                  "them")};
    const std::string wanted =
        preload.installed.empty() ? shim_in(preload)->path : preload.installed;
    const std::string remedy = export_command_of(
        facts, "LD_PRELOAD", composed_preload(without(preload, shim_in(preload)->path), wanted));
    if (count > 1)
        return {bad("liblivesock.so is named more than once", remedy)};
    if (!preload.entries.back().is_shim)
        return {bad(fmt::format("{} comes after liblivesock.so: it does not see what that does",
                                escaped(preload.entries.back().path)),
                    remedy)};
    return {good(preload.entries.size() == 1 ? "liblivesock.so is the only one"
                                             : "liblivesock.so is the last, as it should be")};
}

Findings check_asan(const DoctorFacts& facts) {
    const PreloadState& preload = facts.preload;
    if (preload.entries.empty())
        return {nothing("nothing is preloaded")};
    if (preload.asan_options.find("verify_asan_link_order") == std::string::npos)
        return {bad(
            "programs built with gcc's -fsanitize=address refuse to start under a preload",
            export_command_of(facts, "ASAN_OPTIONS", composed_asan_options(preload.asan_options)))};
    return {good("ASAN_OPTIONS lets programs with AddressSanitizer start under a preload")};
}

} // namespace livesock
