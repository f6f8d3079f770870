// A preload in front of the shim that replaces dlsym(), as overlays and profilers do: RTLD_NEXT
// then means "after this library", and the next connect after it is the shim's own.
#define _GNU_SOURCE
#include <dlfcn.h>

void* dlsym(void* restrict handle, const char* restrict name) {
    static void* (*real)(void*, const char*);
    if (real == 0)
        *(void**)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    void* volatile found = real(handle, name);
    return found;
}
