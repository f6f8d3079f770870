// A thread cancelled while its connect() blocks: the destructors of its callers must run.
#include <cstdio>
#include <cstring>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

volatile bool destroyed = false;
volatile pid_t sleeper = 0;

struct Owner {
    explicit Owner(int descriptor)
        : fd(descriptor) {}
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    ~Owner() {
        close(fd);
        destroyed = true;
    }
    int fd;
};

[[gnu::noinline]] void connect_as_owner(const sockaddr_un& addr) {
    const Owner owner(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sleeper = static_cast<pid_t>(syscall(SYS_gettid));
    connect(owner.fd, reinterpret_cast<const sockaddr*>(&addr), sizeof addr);
}

void* run(void* path) {
    sockaddr_un addr = {};
    addr.sun_family = AF_UNIX;
    std::strncpy(addr.sun_path, static_cast<const char*>(path), sizeof addr.sun_path - 1);
    connect_as_owner(addr);
    return nullptr;
}

/// Whether the thread sleeps in the kernel.
bool sleeps(pid_t thread) {
    const std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
    std::FILE* file = std::fopen(path.c_str(), "r");
    char state = 'R';
    if (file == nullptr || std::fscanf(file, "%*d %*[^)]) %c", &state) != 1)
        return true;
    std::fclose(file);
    return state == 'S';
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    pthread_t thread = {};
    if (pthread_create(&thread, nullptr, run, argv[1]) != 0)
        return 2;
    while (sleeper == 0 || !sleeps(sleeper))
        sched_yield();
    pthread_cancel(thread);
    alarm(20);
    void* result = nullptr;
    pthread_join(thread, &result);
    std::printf("%s, %s\n", result == PTHREAD_CANCELED ? "cancelled" : "not cancelled",
                destroyed ? "destroyed" : "not destroyed");
    return 0;
}
