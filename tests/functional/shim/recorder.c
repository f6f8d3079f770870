// A second preload behind the shim: writes down every connect() that reaches it, and passes it on.
// RECORD names the file; a line is "PATH RESULT ERRNO", or "family N ..." for what is no path.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int connect(int fd, const struct sockaddr* addr, socklen_t len) {
    union {
        void* object;
        int (*function)(int, const struct sockaddr*, socklen_t);
    } next = {dlsym(RTLD_NEXT, "connect")};
    const int error_before = errno;
    const int result = next.function(fd, addr, len);
    const int error = result == 0 ? 0 : errno;
    char name[128];
    if (addr != NULL && addr->sa_family == AF_UNIX)
        snprintf(name, sizeof name, "%s", ((const struct sockaddr_un*)(const void*)addr)->sun_path);
    else
        snprintf(name, sizeof name, "family %d", addr != NULL ? addr->sa_family : -1);
    char line[256];
    const int size = snprintf(line, sizeof line, "%s %d %d\n", name, result, error);
    const char* path = getenv("RECORD");
    const int file =
        open(path != NULL ? path : "/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (write(file, line, (size_t)size) != size)
        abort();
    close(file);
    errno = result == 0 ? error_before : error;
    return result;
}
