/* Built with -fsanitize=address: does what the sanitizer is there to report. `faulty leak`, `faulty overflow`, or
 * nothing wrong at all without a word. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *volatile kept;

int main(int argc, char **argv)
{
    const char *fault = argc > 1 ? argv[1] : "";
    char *memory = malloc(32);

    if (!memory)
        return 1;
    memset(memory, 0, 32);
    if (strcmp(fault, "overflow") == 0) {
        volatile char *at = memory;
        at[32 + argc - 2] = 1;
    }
    kept = memory;
    if (strcmp(fault, "leak") == 0)
        kept = NULL;
    else
        free(memory);
    kept = NULL;
    memory = NULL;
    puts("done");
    return 0;
}
