/* sendmsg, recvmsg, sendmmsg and recvmmsg: scattered data, names, ancillary data and descriptors that are passed, also
 * many messages at once and messages that do not fit. */
#include "common.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define COUNT 20

static int stream[2], datagram[2], udp;
static struct sockaddr_in own;

static struct iovec piece(void *base, size_t length) { return (struct iovec){ base, length }; }

static void scattered(size_t total, unsigned seed)
{
    char *out = malloc(total), *in = malloc(total);
    pattern_fill(out, total, seed);
    struct iovec pieces[] = { piece(out, 1), piece(out + 1, total / 3), piece(NULL, 0), piece(out + 1 + total / 3, total - 1 - total / 3) };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 4 };
    size_t sent = 0, got = 0;
    while (got < total) {
        if (sent < total) {
            /* as much of the rest as goes in; the first time all pieces */
            if (sent > 0) pieces[0] = piece(out + sent, total - sent), message.msg_iovlen = 1;
            ssize_t n = sendmsg(stream[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL);
            check(n > 0 || errno == EAGAIN, "sendmsg of %zu bytes", total - sent);
            if (n > 0) sent += n;
        }
        struct iovec into[] = { piece(in + got, (total - got) / 2), piece(in + got + (total - got) / 2, total - got - (total - got) / 2) };
        struct msghdr received = { .msg_iov = into, .msg_iovlen = 2, .msg_flags = -1 };
        ssize_t n = recvmsg(stream[1], &received, 0);
        check(n > 0, "recvmsg after %zu bytes", got);
        check((received.msg_flags & ~MSG_CMSG_CLOEXEC) == 0, "recvmsg set flags %#x", received.msg_flags);
        got += n;
    }
    check(sent == total && got == total, "sent %zu and got %zu of %zu", sent, got, total);
    pattern_check(in, total, seed, "scattered message");
    free(out), free(in);
}

union control {
    char bytes[256];
    struct cmsghdr align;
};

/* Passes both ends of a pipe; what arrives must be another descriptor for the same pipe. */
static void descriptors(void)
{
    int ends[2], got[2];
    check(pipe(ends) == 0, "pipe");
    union control out = { 0 }, in;
    char byte = 'd', room[4];
    struct iovec data = piece(&byte, 1), into = piece(room, sizeof room);
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &out, .msg_controllen = CMSG_SPACE(sizeof ends) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof ends), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(header), ends, sizeof ends);
    check(sendmsg(stream[0], &message, 0) == 1, "sendmsg with descriptors");
    check(close(ends[0]) == 0, "close");
    memset(&in, 0xaa, sizeof in);
    struct msghdr received = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = &in, .msg_controllen = sizeof in };
    check(recvmsg(stream[1], &received, MSG_CMSG_CLOEXEC) == 1 && room[0] == 'd', "recvmsg with descriptors");
    check(received.msg_controllen == CMSG_SPACE(sizeof ends), "ancillary data of %zu bytes", (size_t)received.msg_controllen);
    header = CMSG_FIRSTHDR(&received);
    check(header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof got), "no descriptors came");
    memcpy(got, CMSG_DATA(header), sizeof got);
    check((fcntl(got[0], F_GETFD) & FD_CLOEXEC) && got[1] != ends[1], "descriptors %d and %d came", got[0], got[1]);
    for (size_t i = received.msg_controllen; i < sizeof in; i++) check((uint8_t)in.bytes[i] == 0xaa, "byte %zu behind the ancillary data was written", i);
    check(write(got[1], "through", 7) == 7 && close(got[1]) == 0 && close(ends[1]) == 0, "write to a descriptor that came");
    char text[8] = "";
    check(read(got[0], text, 8) == 7 && strcmp(text, "through") == 0, "read from a descriptor that came: %s", text);
    check(read(got[0], text, 8) == 0 && close(got[0]) == 0, "the pipe is still open");
}

/* Without room for ancillary data a descriptor is dropped, and the flags say so. */
static void dropped(void)
{
    union control out = { 0 };
    char byte = 'x', room[8];
    struct iovec data = piece(&byte, 1), into = piece(room, sizeof room);
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &out, .msg_controllen = CMSG_SPACE(sizeof(int)) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(header), &udp, sizeof udp);
    check(sendmsg(stream[0], &message, 0) == 1, "sendmsg");
    struct msghdr received = { .msg_iov = &into, .msg_iovlen = 1 };
    check(recvmsg(stream[1], &received, 0) == 1 && received.msg_flags == MSG_CTRUNC, "flags %#x", received.msg_flags);
    int low = dup(0);
    check(low >= 0 && close(low) == 0, "dup");
    for (int fd = low; fd < low + 3; fd++) check(fcntl(fd, F_GETFD) < 0, "descriptor %d was left open", fd);
}

static void credentials(void)
{
    union control in;
    char room[8];
    struct iovec into = piece(room, sizeof room);
    check(write(datagram[0], "who", 3) == 3, "write");
    struct msghdr received = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = &in, .msg_controllen = sizeof in };
    check(recvmsg(datagram[1], &received, 0) == 3, "recvmsg");
    struct cmsghdr *header = CMSG_FIRSTHDR(&received);
    check(header && header->cmsg_type == SCM_CREDENTIALS, "no credentials came");
    struct ucred *sender = (struct ucred *)CMSG_DATA(header);
    check(sender->pid == getpid() && sender->uid == getuid() && sender->gid == getgid(), "they are of pid %d, uid %d", sender->pid, sender->uid);
}

/* Several datagrams to oneself by name, received with their source, fewer than there is room for. */
static void many(unsigned seed)
{
    static char out[COUNT][300], in[COUNT + 4][300];
    struct mmsghdr messages[COUNT + 4] = { 0 };
    struct iovec pieces[COUNT + 4][2];
    struct sockaddr_storage names[COUNT + 4];
    for (int i = 0; i < COUNT; i++) {
        pattern_fill(out[i], sizeof out[i], seed + i);
        pieces[i][0] = piece(out[i], 7), pieces[i][1] = piece(out[i] + 7, i * 13);
        messages[i].msg_hdr = (struct msghdr){ .msg_name = &own, .msg_namelen = sizeof own, .msg_iov = pieces[i], .msg_iovlen = 2 };
        messages[i].msg_len = 12345;
    }
    check(sendmmsg(udp, messages, COUNT, 0) == COUNT, "sendmmsg");
    for (int i = 0; i < COUNT; i++) check(messages[i].msg_len == 7 + (unsigned)i * 13, "message %d sent %u bytes", i, messages[i].msg_len);
    memset(in, 0x55, sizeof in);
    memset(names, 0x55, sizeof names);
    for (int i = 0; i < COUNT + 4; i++) {
        pieces[i][0] = piece(in[i], 100), pieces[i][1] = piece(in[i] + 100, 100);
        messages[i].msg_hdr = (struct msghdr){ .msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = pieces[i], .msg_iovlen = 2 };
        messages[i].msg_len = 12345;
    }
    struct timespec patience = { .tv_sec = 5 };
    int got = recvmmsg(udp, messages, COUNT + 4, MSG_WAITFORONE, &patience);
    check(got == COUNT, "recvmmsg returned %d", got);
    for (int i = 0; i < COUNT + 4; i++) {
        unsigned length = i < COUNT ? 7 + i * 13 : 12345, held = length < 200 ? length : 200;
        check(messages[i].msg_len == (i < COUNT ? held : length), "message %d has %u bytes", i, messages[i].msg_len);
        if (i >= COUNT) held = 0;
        else check(messages[i].msg_hdr.msg_flags == (length > 200 ? MSG_TRUNC : 0), "message %d has flags %#x", i, messages[i].msg_hdr.msg_flags);
        pattern_check(in[i], held, seed + i, "datagram");
        for (unsigned k = held; k < sizeof in[i]; k++) check(in[i][k] == 0x55, "message %d: byte %u was written", i, k);
        if (i < COUNT) check(messages[i].msg_hdr.msg_namelen == sizeof own && memcmp(&names[i], &own, 8) == 0, "message %d has a wrong source", i);
        else check(messages[i].msg_hdr.msg_namelen == sizeof names[i] && *(uint8_t *)&names[i] == 0x55, "message %d has a source", i);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0, "socketpair");
    check(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram) == 0, "socketpair");
    check(setsockopt(datagram[1], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)) == 0, "SO_PASSCRED");
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    own = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    check(bind(udp, (struct sockaddr *)&own, sizeof own) == 0, "bind");
    check(getsockname(udp, (struct sockaddr *)&own, &(socklen_t){ sizeof own }) == 0, "getsockname");
    ready();
    for (unsigned round = 0; working(); round++) {
        scattered(round % 7 ? 5000 + round : 700 * KB, round);
        descriptors();
        dropped();
        credentials();
        many(round);
        burn();
    }
    return finish("messages arrived with all that belongs to them");
}
