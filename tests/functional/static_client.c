/* A statically linked agent client: what no preload reaches. Lists the comments of the identities that the agent at
 * $SSH_AUTH_SOCK offers, one a line. Exit status as ssh-add's: 0 listed, 1 the agent refused, 2 no agent. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { request_identities = 11, identities_answer = 12, message_limit = 256 * 1024 };

static uint32_t number(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int read_all(int fd, unsigned char *to, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, to, size);
        if (got <= 0)
            return -1;
        to += got;
        size -= (size_t)got;
    }
    return 0;
}

/* The offset behind the string at `at`, or 0 where it does not fit. */
static uint32_t after_string(const unsigned char *body, uint32_t at, uint32_t size)
{
    if (size - at < 4 || number(body + at) > size - at - 4)
        return 0;
    return at + 4 + number(body + at);
}

int main(void)
{
    static const unsigned char request[] = {0, 0, 0, 1, request_identities};
    static unsigned char body[message_limit];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    unsigned char head[4];
    const char *path = getenv("SSH_AUTH_SOCK");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (!path || strlen(path) >= sizeof address.sun_path)
        return 2;
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror(path);
        return 2;
    }
    if (write(fd, request, sizeof request) != sizeof request || read_all(fd, head, 4) != 0)
        return 2;
    uint32_t size = number(head);
    if (size == 0 || size > message_limit || read_all(fd, body, size) != 0)
        return 2;
    if (body[0] != identities_answer || size < 5)
        return 1;
    uint32_t at = 5;
    for (uint32_t left = number(body + 1); left > 0; left--) {
        uint32_t comment = after_string(body, at, size);
        uint32_t next = comment ? after_string(body, comment, size) : 0;
        if (!next)
            return 2;
        printf("%.*s\n", (int)(next - comment - 4), (const char *)body + comment + 4);
        at = next;
    }
    return 0;
}
