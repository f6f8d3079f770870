// Where libevent keeps its small records.
#pragma once

namespace livesock {

/// From here on libevent's small allocations lie together, away from the heap. It keeps one for
/// every descriptor number it ever saw: between what thousands of clients needed, they would hold
/// every page of the heap after those have left, and malloc_trim(3) could give nothing back. To be
/// called before the first event base is made; further calls change nothing.
void keep_event_records_apart();

} // namespace livesock
