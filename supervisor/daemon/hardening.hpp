// What the process gives up, and what it needs more of, before it serves anybody.
#pragma once

#include "supervisor/base/result.hpp"

namespace livesock {

/// No core dumps, no new privileges, a umask of 077, no SIGPIPE; as many descriptors as the hard
/// limit allows. What the kernel refuses is logged and gone without.
///
/// The process stays dumpable: PR_SET_DUMPABLE=0 would make its /proc entries root's, by which its
/// own user tells what it does, and ptrace by the same uid can reach the agents themselves anyway.
void harden_process();

/// Whether as many files may be open as it takes to serve a few logins and clients. The error says
/// how many may, and what to do; with fewer, a supervisor starts and refuses every client.
[[nodiscard]] Result<void> check_open_files();

} // namespace livesock
