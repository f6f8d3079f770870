// Connects in every way there is and prints what came of it: return value, errno, and the state of
// the socket afterwards. What it prints must not depend on whether a shim is loaded.
//
// usage: shim_differential DIRECTORY STARTUP-PATH
// DIRECTORY is empty and private; STARTUP-PATH is what a shim would take for its own.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH_OFFSET ((socklen_t)offsetof(struct sockaddr_un, sun_path))

static const char* directory;
static const char* startup;

static void require(int fine, const char* what) {
    if (!fine) {
        perror(what);
        exit(2);
    }
}

static void print_name(const char* label, int fd, int (*get)(int, struct sockaddr*, socklen_t*)) {
    union {
        struct sockaddr_storage storage;
        struct sockaddr_un un;
        char bytes[256];
    } name = {0};
    socklen_t len = sizeof name;
    if (get(fd, (struct sockaddr*)&name, &len) != 0) {
        printf(" %s=-%d", label, errno);
        return;
    }
    printf(" %s=%d/", label, name.storage.ss_family);
    if (name.storage.ss_family != AF_UNIX)
        return; // ports differ from run to run
    printf("%u/%s", (unsigned)len, name.un.sun_path[0] != '\0' ? name.un.sun_path : "");
}

static int with_getsockname(int fd, struct sockaddr* addr, socklen_t* len) {
    return getsockname(fd, addr, len);
}
static int with_getpeername(int fd, struct sockaddr* addr, socklen_t* len) {
    return getpeername(fd, addr, len);
}

static int try(const char* label, int fd, const void* addr, socklen_t len) {
    errno = 4242;
    const int result = connect(fd, addr, len);
    const int error = errno;
    printf("%s len=%u: %d errno=%d", label, (unsigned)len, result, error);
    if (error == EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        poll(&wait, 1, 5000);
    }
    print_name("peer", fd, with_getpeername);
    print_name("local", fd, with_getsockname);
    int pending = -1;
    socklen_t size = sizeof pending;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &size) != 0)
        pending = -errno;
    printf(" so_error=%d fl=%x fd=%x\n", pending, (unsigned)fcntl(fd, F_GETFL),
           (unsigned)fcntl(fd, F_GETFD));
    return result;
}

/// Tries once on a new socket.
static void once(const char* label, int family, int type, const void* addr, socklen_t len) {
    const int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        printf("%s: no socket, errno=%d\n", label, errno);
        return;
    }
    try(label, fd, addr, len);
    close(fd);
}

static void path_in(char* buffer, size_t size, const char* name) {
    require(snprintf(buffer, size, "%s/%s", directory, name) < (int)size, "path too long");
}

static struct sockaddr_un unix_address(const char* path) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    require(strlen(path) <= sizeof addr.sun_path, "path too long");
    memcpy(addr.sun_path, path, strlen(path));
    return addr;
}

static int bound(const char* name, int type, int backlog) {
    char path[108];
    path_in(path, sizeof path, name);
    const struct sockaddr_un addr = unix_address(path);
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    require(bind(fd, (const struct sockaddr*)&addr, sizeof addr) == 0, path);
    if (backlog >= 0)
        require(listen(fd, backlog) == 0, "listen");
    return fd;
}

static void all_lengths(const char* label, int type, const char* path) {
    // More than sockaddr_un, so that the longer lengths lie about what is there.
    char buffer[256] = {0};
    const struct sockaddr_un addr = unix_address(path);
    memcpy(buffer, &addr, sizeof addr);
    const socklen_t length = (socklen_t)strnlen(path, sizeof addr.sun_path);
    const socklen_t lengths[] = {0,
                                 1,
                                 2,
                                 3,
                                 PATH_OFFSET + length - 1,
                                 PATH_OFFSET + length,
                                 PATH_OFFSET + length + 1,
                                 sizeof addr - 1,
                                 sizeof addr,
                                 sizeof addr + 1,
                                 128,
                                 129,
                                 0x7fffffff,
                                 (socklen_t)-1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i)
        once(label, AF_UNIX, type, buffer, lengths[i]);
}

static void paths(void) {
    static const char* const names[] = {"listening",    "seqpacket", "datagram",   "refused",
                                        "absent",       "file",      "file/below", "loop",
                                        "to-listening", "."};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET,
                                SOCK_STREAM | SOCK_NONBLOCK};
    for (size_t t = 0; t < sizeof types / sizeof *types; ++t) {
        for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
            char path[108];
            char label[160];
            path_in(path, sizeof path, names[i]);
            snprintf(label, sizeof label, "path %s type=%x", names[i], (unsigned)types[t]);
            all_lengths(label, types[t], path);
        }
        char label[64];
        snprintf(label, sizeof label, "startup type=%x", (unsigned)types[t]);
        all_lengths(label, types[t], startup);
        all_lengths("empty", types[t], "");
    }

    // 108 bytes without a NUL, of which the first part is the startup path's directory.
    char full[sizeof(struct sockaddr_un)];
    memset(full, 'x', sizeof full);
    const sa_family_t family = AF_UNIX;
    memcpy(full, &family, sizeof family);
    full[PATH_OFFSET] = '/';
    once("unterminated", AF_UNIX, SOCK_STREAM, full, sizeof full);
    memcpy(full + PATH_OFFSET, startup, strlen(startup));
    once("startup and more", AF_UNIX, SOCK_STREAM, full, sizeof full);

    // The path with a NUL in front: an abstract name.
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    memcpy(abstract.sun_path + 1, startup, strlen(startup));
    once("abstract, nobody", AF_UNIX, SOCK_STREAM, &abstract,
         PATH_OFFSET + 1 + (socklen_t)strlen(startup));
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(bind(listener, (struct sockaddr*)&abstract,
                 PATH_OFFSET + 1 + (socklen_t)strlen(startup)) == 0,
            "bind abstract");
    require(listen(listener, 5) == 0, "listen");
    once("abstract", AF_UNIX, SOCK_STREAM, &abstract, PATH_OFFSET + 1 + (socklen_t)strlen(startup));
    once("abstract, other length", AF_UNIX, SOCK_STREAM, &abstract, sizeof abstract);
    close(listener);
}

static void bad_pointers(void) {
    static const socklen_t lengths[] = {0, 1, 2, 16, 110, 111, 128, 129, (socklen_t)-1};
    const long page = sysconf(_SC_PAGESIZE);
    char* pages =
        mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(pages != MAP_FAILED && munmap(pages + page, (size_t)page) == 0, "mmap");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        once("NULL", AF_UNIX, SOCK_STREAM, NULL, lengths[i]);
        once("bad pointer", AF_UNIX, SOCK_STREAM, (void*)1, lengths[i]);
        once("NULL", AF_INET, SOCK_STREAM, NULL, lengths[i]);
        once("end of memory", AF_UNIX, SOCK_STREAM, pages + page, lengths[i]);
    }
    // The startup path as the last bytes that can be read: whoever reads one more dies.
    const sa_family_t family = AF_UNIX;
    const socklen_t length = (socklen_t)strlen(startup);
    char* last = pages + page - PATH_OFFSET - length;
    memcpy(last, &family, sizeof family);
    memcpy(last + PATH_OFFSET, startup, length);
    for (socklen_t less = 0; less <= length; ++less)
        once("at the end of memory", AF_UNIX, SOCK_STREAM, last, PATH_OFFSET + length - less);
    once("across the end of memory", AF_UNIX, SOCK_STREAM, last, PATH_OFFSET + length + 1);
    for (long odd = 1; odd < 8; ++odd) {
        memmove(pages + odd, last, PATH_OFFSET + length);
        once("unaligned", AF_UNIX, SOCK_STREAM, pages + odd, PATH_OFFSET + length);
    }
    munmap(pages, (size_t)page);
}

static void bad_descriptors(void) {
    const struct sockaddr_un addr = unix_address(startup);
    char path[108];
    path_in(path, sizeof path, "file");
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    int pipes[2];
    require(pipe(pipes) == 0, "pipe");
    try("fd -1", -1, &addr, sizeof addr);
    try("fd closed", 1000, &addr, sizeof addr);
    try("fd file", file, &addr, sizeof addr);
    try("fd pipe", pipes[0], &addr, sizeof addr);
    try("fd -1, NULL", -1, NULL, 0);
    close(file);
    close(pipes[0]);
    close(pipes[1]);
}

static void internet(int family, int type) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        char bytes[128];
    } addr = {0};
    char label[64];
    addr.any.sa_family = (sa_family_t)family;
    if (family == AF_INET)
        addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        addr.in6.sin6_addr = in6addr_loopback;
    socklen_t size = family == AF_INET ? sizeof addr.in : sizeof addr.in6;
    const int server = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || bind(server, &addr.any, size) != 0) {
        printf("family %d: not here\n", family);
        close(server);
        return;
    }
    require(getsockname(server, &addr.any, &size) == 0, "getsockname");
    static const socklen_t lengths[] = {0, 1, 2, 8, 15, 16, 24, 28, 128, 129, (socklen_t)-1};
    snprintf(label, sizeof label, "family %d type=%x refused", family, (unsigned)type);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i)
        once(label, family, type, &addr, lengths[i]);
    require(listen(server, 20) == 0, "listen");
    snprintf(label, sizeof label, "family %d type=%x listening", family, (unsigned)type);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i)
        once(label, family, type, &addr, lengths[i]);
    close(server);
}

static void families(void) {
    const struct sockaddr_un un = unix_address(startup);
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    struct sockaddr_nl netlink = {.nl_family = AF_NETLINK};
    once("unix address, inet socket", AF_INET, SOCK_STREAM, &un, sizeof un);
    once("unix address, inet datagram", AF_INET, SOCK_DGRAM, &un, sizeof un);
    once("inet address, unix socket", AF_UNIX, SOCK_STREAM, &in, sizeof in);
    once("unspecified, unix", AF_UNIX, SOCK_STREAM, &unspecified, sizeof unspecified);
    once("unspecified, unix datagram", AF_UNIX, SOCK_DGRAM, &unspecified, sizeof unspecified);
    once("unspecified, inet", AF_INET, SOCK_STREAM, &unspecified, sizeof unspecified);
    once("unspecified, inet datagram", AF_INET, SOCK_DGRAM, &unspecified, sizeof unspecified);
    once("netlink", AF_NETLINK, SOCK_RAW, &netlink, sizeof netlink);
    once("netlink, short", AF_NETLINK, SOCK_RAW, &netlink, 4);
    once("unix address, netlink", AF_NETLINK, SOCK_RAW, &un, sizeof un);

    struct sockaddr_un other = unix_address(startup);
    other.sun_family = 77;
    once("family 77 with the path", AF_UNIX, SOCK_STREAM, &other, sizeof other);
}

static void again(void) {
    char path[108];
    path_in(path, sizeof path, "listening");
    const struct sockaddr_un there = unix_address(path);
    const struct sockaddr_un gone = unix_address(startup);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    try("first, nobody", fd, &gone, sizeof gone);
    try("then somebody", fd, &there, sizeof there);
    try("connected, again", fd, &there, sizeof there);
    try("connected, startup", fd, &gone, sizeof gone);
    close(fd);

    path_in(path, sizeof path, "datagram");
    const struct sockaddr_un datagram = unix_address(path);
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    const int packets = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    try("datagram", packets, &datagram, sizeof datagram);
    try("datagram, startup", packets, &gone, sizeof gone);
    try("datagram, none", packets, &none, sizeof none);
    close(packets);

    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listen(listener, 1);
    try("listener", listener, &gone, sizeof gone);
    close(listener);
}

static void on_alarm(int signal_number) {
    (void)signal_number;
}

static void full_backlog(void) {
    char path[108];
    path_in(path, sizeof path, "full");
    const struct sockaddr_un addr = unix_address(path);
    const int listener = bound("full", SOCK_STREAM, 0);
    int waiting[16];
    size_t count = 0;
    do {
        waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    } while (connect(waiting[count], (const struct sockaddr*)&addr, sizeof addr) == 0 &&
             ++count < 15);

    once("full, not blocking", AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, &addr, sizeof addr);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_usec = 30000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    try("full, SO_SNDTIMEO", fd, &addr, sizeof addr);
    close(fd);

    const struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    // It repeats: a signal that came before connect() slept would be lost otherwise.
    const struct itimerval soon = {.it_value.tv_usec = 30000, .it_interval.tv_usec = 30000};
    const struct itimerval never = {0};
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    try("full, interrupted", fd, &addr, sizeof addr);
    setitimer(ITIMER_REAL, &never, NULL);
    close(fd);
    for (size_t i = 0; i <= count; ++i)
        close(waiting[i]);
    close(listener);
}

int main(int argc, char** argv) {
    require(argc == 3, "usage: shim_differential DIRECTORY STARTUP-PATH");
    directory = argv[1];
    startup = argv[2];

    char path[108];
    char target[108];
    const int listening = bound("listening", SOCK_STREAM, 4096);
    const int seqpacket = bound("seqpacket", SOCK_SEQPACKET, 4096);
    const int datagram = bound("datagram", SOCK_DGRAM, -1);
    close(bound("refused", SOCK_STREAM, 5));
    path_in(path, sizeof path, "file");
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    path_in(path, sizeof path, "loop");
    require(symlink("loop", path) == 0, path);
    path_in(path, sizeof path, "to-listening");
    path_in(target, sizeof target, "listening");
    require(symlink(target, path) == 0, path);

    paths();
    bad_pointers();
    bad_descriptors();
    static const int types[] = {SOCK_STREAM, SOCK_STREAM | SOCK_NONBLOCK, SOCK_DGRAM};
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i) {
        internet(AF_INET, types[i]);
        internet(AF_INET6, types[i]);
    }
    families();
    again();
    full_backlog();
    close(listening);
    close(seqpacket);
    close(datagram);
    return 0;
}
