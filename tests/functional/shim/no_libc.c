// A program without a C library: nothing that the shim refers to exists, except a __connect() of
// this program's own with WITH_CONNECT_ALIAS (a C library whose dlsym() is in another library).
// Exit status: 0 connect() to the path in argv[1] succeeded; 1 it did not; +2 __connect() was used.
#include <asm/unistd.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static int alias_used;

static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

#ifdef WITH_CONNECT_ALIAS
__attribute__((visibility("default"))) int __connect(int fd, const struct sockaddr* addr,
                                                     socklen_t len) {
    alias_used = 2;
    return call(__NR_connect, fd, (long)addr, len) == 0 ? 0 : -1;
}
#endif

__attribute__((used, noreturn)) static void run(long* stack) {
    const char* path = ((char**)(stack + 1))[1];
    static struct sockaddr_un addr;
    addr.sun_family = AF_UNIX;
    for (size_t i = 0; path[i] != '\0' && i < sizeof addr.sun_path - 1; ++i)
        *(volatile char*)&addr.sun_path[i] = path[i];
    const int fd = (int)call(__NR_socket, AF_UNIX, SOCK_STREAM, 0);
    const int failed = connect(fd, (const struct sockaddr*)&addr, sizeof addr) != 0;
    for (;;)
        call(__NR_exit_group, failed + alias_used, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call run\n");
