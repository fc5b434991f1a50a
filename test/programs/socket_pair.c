/* Sockets: a stream and a datagram pair to itself, with vectors, flags, and a descriptor passed in a message. */
#include "common.h"
#include <sys/socket.h>

static void pass(int from, int to, int fd)
{
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
    char letter = 'f';
    struct iovec part = { &letter, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    check(sendmsg(from, &message, 0) == 1, "sendmsg");
    memset(&control, 0, sizeof control);
    message.msg_controllen = sizeof control.bytes;
    check(recvmsg(to, &message, MSG_CMSG_CLOEXEC) == 1 && letter == 'f', "recvmsg");
    header = CMSG_FIRSTHDR(&message);
    check(header && header->cmsg_type == SCM_RIGHTS, "no descriptor came");
    int got;
    memcpy(&got, CMSG_DATA(header), sizeof got);
    char text[3];
    check(got != fd && pread(got, text, 3, 0) == 3 && memcmp(text, "abc", 3) == 0, "the descriptor that came");
    close(got);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int stream[2], datagram[2];
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) == 0, "socketpair");
    check(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram) == 0, "socketpair");
    int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    write_all(file, "abc", 3, "the file");
    check(send(datagram[0], "first", 5, 0) == 5 && send(datagram[0], "second!", 7, 0) == 7, "send");
    ready();
    while (working()) {
        char data[100];
        check(recv(datagram[1], data, 100, MSG_PEEK) == 5 && memcmp(data, "first", 5) == 0, "MSG_PEEK");
        check(recv(datagram[1], data, 100, 0) == 5 && recv(datagram[1], data, 3, MSG_TRUNC) == 7, "datagrams keep their borders");
        check(send(datagram[0], "first", 5, 0) == 5 && send(datagram[0], "second!", 7, 0) == 7, "send");
        struct iovec parts[2] = { { "ab", 2 }, { "cdef", 4 } };
        check(sendmsg(stream[0], &(struct msghdr){ .msg_iov = parts, .msg_iovlen = 2 }, 0) == 6, "sendmsg");
        check(recv(stream[1], data, 6, MSG_WAITALL) == 6 && memcmp(data, "abcdef", 6) == 0, "recv");
        check(recv(stream[1], data, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "recv of nothing");
        int type;
        socklen_t length = sizeof type;
        check(getsockopt(stream[0], SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM, "SO_TYPE");
        pass(stream[0], stream[1], file);
        int fresh[2];
        check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fresh) == 0 && shutdown(fresh[0], SHUT_WR) == 0, "a new pair");
        check(recv(fresh[1], data, 1, 0) == 0 && send(fresh[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "shutdown");
        close(fresh[0]);
        close(fresh[1]);
        burn();
    }
    unlink("file");
    return finish("sockets carry");
}
