#include "supervisor/loop/event_memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include <event2/event.h>
#include <sys/mman.h>

namespace livesock {
namespace {

/// Before every allocation. libevent says neither when it frees nor when it grows one how large it
/// was.
struct alignas(std::max_align_t) Head {
    std::size_t size;
};

/// Holds libevent's record of a descriptor, with room to spare.
constexpr std::size_t small_size = 32;
constexpr std::size_t small_step = sizeof(Head) + small_size;

/// So much is taken from the system at once for small ones; it stays.
constexpr std::size_t block_size = 64 * 1024;

struct Free {
    Free* next;
};

std::byte* block = nullptr;
std::size_t block_left = 0;
Free* freed = nullptr;

void* allocate_small() {
    if (freed != nullptr)
        return std::exchange(freed, freed->next);
    if (block_left < small_step) {
        void* const fresh = ::mmap(nullptr, block_size, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED)
            return nullptr;
        block = static_cast<std::byte*>(fresh);
        block_left = block_size;
    }
    Head* const head = new (block) Head{small_size};
    block += small_step;
    block_left -= small_step;
    return head + 1;
}

void* allocate(std::size_t size) {
    if (size <= small_size)
        return allocate_small();
    void* const memory = std::malloc(sizeof(Head) + size);
    return memory == nullptr ? nullptr : new (memory) Head{size} + 1;
}

void release(void* memory) {
    if (memory == nullptr)
        return;
    Head* const head = static_cast<Head*>(memory) - 1;
    if (head->size > small_size)
        std::free(head);
    else
        freed = new (memory) Free{freed};
}

void* reallocate(void* memory, std::size_t size) {
    if (memory == nullptr)
        return allocate(size);
    Head* const head = static_cast<Head*>(memory) - 1;
    if (head->size > small_size && size > small_size) {
        void* const moved = std::realloc(head, sizeof(Head) + size);
        return moved == nullptr ? nullptr : new (moved) Head{size} + 1;
    }
    void* const fresh = allocate(size);
    if (fresh != nullptr) {
        std::memcpy(fresh, memory, std::min(size, head->size));
        release(memory);
    }
    return fresh;
}

} // namespace

void keep_event_records_apart() {
    event_set_mem_functions(allocate, reallocate, release);
}

} // namespace livesock
