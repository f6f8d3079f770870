#include "tools/locate.hpp"

#include <filesystem>
#include <system_error>

#include <unistd.h>

namespace livesock {
namespace {

namespace fs = std::filesystem;

/// LIVESOCK_BINDIR and LIVESOCK_SHIM are relative to the prefix; the prefix itself is not compiled
/// in, so that an installation can be moved, or made under DESTDIR and run there.
std::string installed_shim(const std::string& directory) {
    const std::string tail = std::string("/") + LIVESOCK_BINDIR;
    if (!directory.ends_with(tail))
        return {};
    return directory.substr(0, directory.size() - tail.size()) + '/' + LIVESOCK_SHIM;
}

bool is_file(const std::string& path) {
    std::error_code ignored;
    return !path.empty() && fs::is_regular_file(path, ignored);
}

} // namespace

Installation locate(const std::string& program) {
    const std::string directory = fs::path(program).parent_path();
    Installation found;
    const std::string supervisor = directory + "/livesockd";
    found.supervisor = ::access(supervisor.c_str(), X_OK) == 0 ? supervisor : "livesockd";
    for (const std::string& shim :
         {installed_shim(directory), directory + "/preload/liblivesock.so"})
        if (found.shim.empty() && is_file(shim))
            found.shim = shim;
    return found;
}

Installation locate() {
    std::error_code problem;
    const fs::path program = fs::read_symlink("/proc/self/exe", problem);
    return problem ? Installation{"livesockd", {}} : locate(program.string());
}

} // namespace livesock
