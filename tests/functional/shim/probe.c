// One connect() in a place where a library that does more than connect(2) would be noticed.
// Prints "RESULT ERRNO PEER" (errno was 4242 before, PEER is the path of who answered, or "-").
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int connect_function(int, const struct sockaddr*, socklen_t);

struct outcome {
    int result;
    int error;
};

static void require(int fine, const char* what) {
    if (!fine) {
        perror(what);
        exit(2);
    }
}

static struct sockaddr_un address_of(const char* path) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    require(strlen(path) < sizeof addr.sun_path, "path too long");
    memcpy(addr.sun_path, path, strlen(path));
    return addr;
}

static int new_socket(void) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0, "socket");
    return fd;
}

static struct outcome attempt_by(connect_function* function, int fd,
                                 const struct sockaddr_un* addr) {
    struct outcome outcome;
    errno = 4242;
    outcome.result = function(fd, (const struct sockaddr*)addr, sizeof *addr);
    outcome.error = errno;
    return outcome;
}

static struct outcome attempt(int fd, const struct sockaddr_un* addr) {
    return attempt_by(connect, fd, addr);
}

static int print(struct outcome outcome, int fd) {
    struct sockaddr_un peer = {0};
    socklen_t len = sizeof peer;
    const int known = getpeername(fd, (struct sockaddr*)&peer, &len) == 0;
    // Not by stdio, whose system calls a filter would have to know.
    char line[160];
    const int size = snprintf(line, sizeof line, "%d %d %s\n", outcome.result, outcome.error,
                              known ? peer.sun_path : "-");
    return write(STDOUT_FILENO, line, (size_t)size) == size ? 0 : 2;
}

static int plain(const struct sockaddr_un* addr) {
    const int fd = new_socket();
    return print(attempt(fd, addr), fd);
}

/// All that this program does from here on is connect(2), write(2), getpeername(2), exit_group(2).
static void forbid_everything_else(void) {
#define ALLOW(number)                                                                              \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_connect),
        ALLOW(SYS_write),
        ALLOW(SYS_getpeername),
        ALLOW(SYS_exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

static int in_seccomp(const struct sockaddr_un* addr) {
    const int fd = new_socket();
    forbid_everything_else();
    _exit(print(attempt(fd, addr), fd));
}

static const struct sockaddr_un* handler_addr;
static volatile sig_atomic_t handled, connected;
enum { handled_limit = 200 };

static void connect_in_handler(int signal_number) {
    (void)signal_number;
    if (handled == handled_limit)
        return;
    const int error_before = errno;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct outcome outcome = attempt(fd, handler_addr);
    if (outcome.result == 0 && outcome.error == 4242)
        ++connected;
    ++handled;
    close(fd);
    errno = error_before;
}

/// Interrupts an allocator and a dynamic loader at work.
static int in_handler(const struct sockaddr_un* addr) {
    handler_addr = addr;
    const struct sigaction action = {.sa_handler = connect_in_handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval timer = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (handled < handled_limit) {
        free(malloc(100));
        dlsym(RTLD_DEFAULT, "no such name");
        dlerror();
    }
    const struct itimerval never = {0};
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%d of %d\n", (int)connected, (int)handled);
    return 0;
}

static int child_status(pid_t child) {
    int status = 0;
    require(waitpid(child, &status, 0) == child, "waitpid");
    return status;
}

static int after_vfork(const struct sockaddr_un* addr) {
    static struct outcome outcome; // shared with the child, and in no register
    const int fd = new_socket();
    const pid_t child = vfork();
    if (child == 0) {
        outcome = attempt(fd, addr);
        _exit(0);
    }
    require(child_status(child) == 0, "child");
    return print(outcome, fd);
}

static void* open_library(void* path) {
    require(dlopen(path, RTLD_NOW) != NULL, "dlopen");
    return NULL;
}

/// `library`'s constructor says that it runs and then waits, with the loader's lock held.
static int during_dlopen(const struct sockaddr_un* addr, char* library, int forking) {
    int started[2], release[2];
    require(pipe(started) == 0 && pipe(release) == 0, "pipe");
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d %d", started[1], release[0]);
    setenv("SLOW_LIBRARY", numbers, 1);
    pthread_t thread;
    require(pthread_create(&thread, NULL, open_library, library) == 0, "pthread_create");
    char byte;
    require(read(started[0], &byte, 1) == 1, "read");

    const int fd = new_socket();
    alarm(20); // a deadlock ends here
    int status = 0;
    struct outcome outcome = {0, 4242};
    if (forking) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(20);
            outcome = attempt(fd, addr);
            _exit(outcome.result == 0 && outcome.error == 4242 ? 0 : 1);
        }
        status = child_status(child);
    } else {
        outcome = attempt(fd, addr);
    }
    require(write(release[1], "x", 1) == 1, "write");
    pthread_join(thread, NULL);
    if (status != 0) {
        printf("child: %x\n", (unsigned)status);
        return 1;
    }
    return print(outcome, fd);
}

static int without_descriptors(const struct sockaddr_un* addr) {
    const int fd = new_socket();
    const struct rlimit none = {0, 0};
    require(setrlimit(RLIMIT_NOFILE, &none) == 0, "setrlimit");
    require(socket(AF_UNIX, SOCK_STREAM, 0) < 0, "a descriptor is left");
    return print(attempt(fd, addr), fd);
}

static void on_alarm(int signal_number) {
    (void)signal_number;
}

static int interrupted(const struct sockaddr_un* addr) {
    const struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval timer = {{0, 30000}, {0, 30000}};
    const int fd = new_socket();
    setitimer(ITIMER_REAL, &timer, NULL);
    return print(attempt(fd, addr), fd);
}

static int not_blocking(const struct sockaddr_un* addr) {
    const int fd = new_socket();
    require(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    return print(attempt(fd, addr), fd);
}

static volatile int cleaned_up;
static volatile pid_t sleeper;

static void clean_up(void* unused) {
    (void)unused;
    cleaned_up = 1;
}

static void* connect_until_cancelled(void* addr) {
    const int fd = new_socket();
    pthread_cleanup_push(clean_up, NULL);
    sleeper = (pid_t)syscall(SYS_gettid);
    attempt(fd, addr);
    pthread_cleanup_pop(0);
    return NULL;
}

/// Waits until the thread sleeps in the kernel.
static void wait_for_sleep(pid_t thread) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    char state = 'R';
    while (state != 'S') {
        FILE* file = fopen(path, "r");
        require(file != NULL && fscanf(file, "%*d %*[^)]) %c", &state) == 1, path);
        fclose(file);
        sched_yield();
    }
}

static int cancelled(struct sockaddr_un* addr) {
    pthread_t thread;
    void* result = NULL;
    require(pthread_create(&thread, NULL, connect_until_cancelled, addr) == 0, "pthread_create");
    while (sleeper == 0)
        sched_yield();
    wait_for_sleep(sleeper);
    pthread_cancel(thread);
    alarm(20);
    pthread_join(thread, &result);
    printf("%s, %s\n", result == PTHREAD_CANCELED ? "cancelled" : "not cancelled",
           cleaned_up ? "cleaned up" : "not cleaned up");
    return 0;
}

/// The library by name, as it is not preloaded into a setuid program.
static int secure(const struct sockaddr_un* addr, const char* library) {
    void* handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    union {
        void* object;
        connect_function* function;
    } found = {dlsym(handle, "connect")};
    const int fd = new_socket();
    printf("secure=%lu ", getauxval(AT_SECURE));
    fflush(stdout);
    return print(attempt_by(found.function, fd, addr), fd);
}

int main(int argc, char** argv) {
    require(argc >= 3, "usage: shim_probe SCENARIO PATH [LIBRARY]");
    struct sockaddr_un addr = address_of(argv[2]);
    const char* scenario = argv[1];
    if (strcmp(scenario, "plain") == 0)
        return plain(&addr);
    if (strcmp(scenario, "seccomp") == 0)
        return in_seccomp(&addr);
    if (strcmp(scenario, "handler") == 0)
        return in_handler(&addr);
    if (strcmp(scenario, "vfork") == 0)
        return after_vfork(&addr);
    if (strcmp(scenario, "dlopen") == 0)
        return during_dlopen(&addr, argv[3], 0);
    if (strcmp(scenario, "fork-in-dlopen") == 0)
        return during_dlopen(&addr, argv[3], 1);
    if (strcmp(scenario, "nofile") == 0)
        return without_descriptors(&addr);
    if (strcmp(scenario, "interrupted") == 0)
        return interrupted(&addr);
    if (strcmp(scenario, "nonblocking") == 0)
        return not_blocking(&addr);
    if (strcmp(scenario, "cancelled") == 0)
        return cancelled(&addr);
    if (strcmp(scenario, "secure") == 0)
        return secure(&addr, argv[3]);
    fprintf(stderr, "no such scenario: %s\n", scenario);
    return 2;
}
