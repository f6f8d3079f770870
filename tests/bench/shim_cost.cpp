// What the shim costs a connect() that is none of its business, and a redirection.
//
// usage: shim_cost LIBLIVESOCK.SO
// Starts itself again with the shim preloaded and calls the shim's connect() and the C library's in
// turns, in small batches, so that both see the same machine. Prints medians of the batches.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace {

using Connect = int (*)(int, const sockaddr*, socklen_t);

constexpr int batches = 400;

sockaddr_un unix_address(const std::string& path) {
    sockaddr_un addr = {};
    addr.sun_family = AF_UNIX;
    std::memcpy(addr.sun_path, path.data(), std::min(path.size(), sizeof addr.sun_path));
    return addr;
}

/// Nanoseconds a call, over `count` calls.
template <typename Call>
double time_of(int count, const Call& call) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i)
        call();
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    return taken.count() / count;
}

double median(std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + batches / 2, values.end());
    return values[batches / 2];
}

template <typename A, typename B>
void compare(const char* label, int count, const A& direct, const B& with_shim) {
    std::vector<double> a;
    std::vector<double> b;
    for (int i = 0; i < batches; ++i) {
        a.push_back(time_of(count, direct));
        b.push_back(time_of(count, with_shim));
    }
    const double before = median(a);
    const double after = median(b);
    std::printf("%-44s %10.1f %10.1f %+9.1f\n", label, before, after, after - before);
}

void on_descriptor(const char* label, int fd, const void* addr, socklen_t len, Connect libc) {
    const auto* any = static_cast<const sockaddr*>(addr);
    compare(
        label, 500, [=] { libc(fd, any, len); }, [=] { connect(fd, any, len); });
}

int measure(const std::string& directory, const std::string& stale) {
    void* handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    const auto libc = reinterpret_cast<Connect>(dlsym(handle, "connect"));
    if (libc == nullptr || libc == &connect) {
        std::fprintf(stderr, "the shim is not loaded\n");
        return 1;
    }
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un agent = unix_address(directory + "/agent");
    if (bind(listener, reinterpret_cast<const sockaddr*>(&agent), sizeof agent) != 0 ||
        listen(listener, 64) != 0 || symlink("agent", (directory + "/live").c_str()) != 0) {
        std::perror("live");
        return 1;
    }

    std::printf("%-44s %10s %10s %9s\n", "nanoseconds a call, medians", "libc", "shim", "more");
    const int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in inet = {};
    inet.sin_family = AF_INET;
    const sockaddr_un other = unix_address("/nonexistent/path/to/some/other/service.socket");
    const sockaddr_un gone = unix_address(stale);
    on_descriptor("bad descriptor, AF_INET", -1, &inet, sizeof inet, libc);
    on_descriptor("bad descriptor, AF_UNIX", -1, &other, sizeof other, libc);
    on_descriptor("bad length, AF_INET", tcp, &inet, 4, libc);
    on_descriptor("another path, nobody there", local, &other, sizeof other, libc);

    const auto whole = [listener](Connect function, const sockaddr_un& addr) {
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        function(fd, reinterpret_cast<const sockaddr*>(&addr), sizeof addr);
        close(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        close(fd);
    };
    compare(
        "socket, connect, accept, close: it answers", 50, [&] { whole(libc, agent); },
        [&] { whole(&connect, agent); });
    compare(
        "the same, stale path redirected", 50, [&] { whole(libc, agent); },
        [&] { whole(&connect, gone); });
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 3)
        return measure(argv[1], argv[2]);
    char directory[] = "/tmp/livesock-bench-XXXXXX";
    if (argc != 2 || mkdtemp(directory) == nullptr) {
        std::fprintf(stderr, "usage: shim_cost LIBLIVESOCK.SO\n");
        return 2;
    }
    const std::string stale = std::string(directory) + "/.ssh/agent/s.stale.sshd.path";
    setenv("LD_PRELOAD", argv[1], 1);
    setenv("LIVESOCK_DIR", directory, 1);
    setenv("SSH_AUTH_SOCK", stale.c_str(), 1);
    const std::string command =
        "/proc/" + std::to_string(getpid()) + "/exe " + directory + " " + stale;
    const int status = std::system(command.c_str());
    for (const char* name : {"/live", "/agent", ""}) {
        if (remove((std::string(directory) + name).c_str()) != 0)
            std::perror(name);
    }
    return status == 0 ? 0 : 1;
}
