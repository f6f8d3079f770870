// A preload behind the shim, so initialised before it, that connects in its constructor to the path
// in EARLY and keeps what came of it for the end.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int result = 99;
static int error = 99;

__attribute__((constructor)) static void connect_early(void) {
    const char* path = getenv("EARLY");
    if (path == NULL)
        return;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    strncpy(addr.sun_path, path, sizeof addr.sun_path - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    errno = 4242;
    result = connect(fd, (const struct sockaddr*)&addr, sizeof addr);
    error = errno;
}

__attribute__((destructor)) static void report(void) {
    printf("early: %d %d\n", result, error);
}
