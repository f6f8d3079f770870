#include "tests/bench/process_usage.hpp"

#include "tests/bench/failure.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace livesock::bench {
namespace {

std::string proc_path(pid_t pid, const char* file) {
    return "/proc/" + std::to_string(pid) + "/" + file;
}

std::ifstream open_proc(pid_t pid, const char* file) {
    std::ifstream stream(proc_path(pid, file));
    if (!stream)
        fail_with_errno("reading '" + proc_path(pid, file) + "'");
    return stream;
}

std::chrono::nanoseconds ticks_of(pid_t pid) {
    auto stream = open_proc(pid, "stat");
    std::string text;
    std::getline(stream, text,
                 ')'); // the name may hold anything, but is the last thing in brackets
    for (int field = 3; field < 14; ++field)
        stream >> text;
    long user = 0, system = 0;
    stream >> user >> system;
    return std::chrono::nanoseconds((user + system) * (1'000'000'000L / sysconf(_SC_CLK_TCK)));
}

} // namespace

Memory memory_of(pid_t pid) {
    auto stream = open_proc(pid, "smaps_rollup");
    Memory memory;
    std::string line;
    std::getline(stream, line); // the address range
    for (std::string name; stream >> name;) {
        double kib = 0;
        stream >> kib;
        std::getline(stream, line);
        if (name == "Pss:")
            memory.pss = kib * 1024;
        else if (name == "Rss:")
            memory.rss = kib * 1024;
        else if (name == "Private_Clean:" || name == "Private_Dirty:")
            memory.private_pages += kib * 1024;
    }
    return memory;
}

std::chrono::nanoseconds cpu_time_of(pid_t pid) {
    std::ifstream stream(proc_path(pid, "schedstat"));
    long long on_cpu = 0;
    if (stream >> on_cpu && on_cpu > 0)
        return std::chrono::nanoseconds(on_cpu);
    return ticks_of(pid);
}

long sleeps_of(pid_t pid) {
    auto stream = open_proc(pid, "status");
    for (std::string word; stream >> word;) {
        long count = 0;
        if (word == "voluntary_ctxt_switches:" && stream >> count)
            return count;
    }
    throw Failure("this kernel does not count context switches");
}

int open_files_of(pid_t pid) {
    int count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(proc_path(pid, "fd")))
        ++count;
    return count;
}

} // namespace livesock::bench
