// A library whose constructor says that it runs and then waits to be released.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void load_slowly(void) {
    int started = -1;
    int release = -1;
    char byte = 'x';
    const char* numbers = getenv("SLOW_LIBRARY");
    if (numbers == NULL || sscanf(numbers, "%d %d", &started, &release) != 2)
        return;
    if (write(started, &byte, 1) != 1 || read(release, &byte, 1) != 1)
        abort();
}
