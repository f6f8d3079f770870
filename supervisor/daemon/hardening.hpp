// What the process gives up, and what it needs more of, before it serves anybody.
#pragma once

namespace livesock {

/// No core dumps, no new privileges, a umask of 077, no SIGPIPE; as many descriptors as the hard
/// limit allows. What the kernel refuses is logged and gone without.
///
/// The process stays dumpable: PR_SET_DUMPABLE=0 would make its /proc entries root's, by which its
/// own user tells what it does, and ptrace by the same uid can reach the agents themselves anyway.
void harden_process();

} // namespace livesock
