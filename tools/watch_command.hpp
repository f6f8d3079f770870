// watch: what the supervisor does, as it happens.
#pragma once

namespace livesock {

/// Shows a live view until 'q' is typed or a signal ends it; where standard output is no terminal,
/// a line for each thing that happens. Returns an exit status.
int watch_command();

} // namespace livesock
