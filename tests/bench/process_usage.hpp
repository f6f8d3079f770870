// What a process costs, as the kernel counts it in /proc (proc(5)). Each throws Failure if the
// process is gone.
#pragma once

#include <chrono>
#include <string>

#include <sys/types.h>

namespace livesock::bench {

/// In bytes. PSS shares what other processes map too: a library that only this process uses counts
/// whole, so what else runs changes it.
struct Memory {
    double pss = 0;
    double rss = 0;
    double private_pages = 0; ///< what its end would give back
};

[[nodiscard]] Memory memory_of(pid_t pid);

/// Time on a processor, in user and kernel mode, to the nanosecond where the kernel keeps
/// schedstat, else to the clock tick.
[[nodiscard]] std::chrono::nanoseconds cpu_time_of(pid_t pid);

/// How often it went to sleep of its own accord: one for each time it had been woken.
[[nodiscard]] long sleeps_of(pid_t pid);

/// How many descriptors it holds open.
[[nodiscard]] int open_files_of(pid_t pid);

} // namespace livesock::bench
