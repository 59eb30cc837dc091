/* loopback.h - a server on this machine for the examples: a thread that answers line by line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct loopback {
    /* Answer one line, without its end. What `answer` is set to is sent; NULL closes. */
    const char *(*answer)(struct loopback *server, const char *line);
    int clients;   /* it ends after so many */
    int lines;     /* that it has read */
    char key[32];  /* where it listens; set by loopback_start */
    char text[64]; /* for answers */
    int fd;
    pthread_t thread;
} loopback;

/* Read up to the end of a line, which is dropped; 0 at the end of the stream. */
static inline int loopback_read_line(int fd, char *line, size_t size) {
    size_t length = 0;
    char byte;
    while (recv(fd, &byte, 1, 0) == 1) {
        if (byte == '\n') {
            line[length > 0 && line[length - 1] == '\r' ? length - 1 : length] = '\0';
            return 1;
        }
        if (length + 1 < size)
            line[length++] = byte;
    }
    return 0;
}

static inline void *loopback_serve(void *arg) {
    loopback *server = arg;
    for (; server->clients > 0; server->clients--) {
        int client = accept(server->fd, NULL, NULL);
        char line[64];
        while (loopback_read_line(client, line, sizeof line)) {
            server->lines++;
            const char *answer = server->answer(server, line);
            if (answer == NULL || send(client, answer, strlen(answer), MSG_NOSIGNAL) < 0)
                break;
        }
        close(client);
    }
    return NULL;
}

static inline int loopback_start(loopback *server) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, length) != 0 ||
        listen(server->fd, 8) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &length) != 0)
        return -1;
    snprintf(server->key, sizeof server->key, "127.0.0.1:%u", ntohs(address.sin_port));
    return pthread_create(&server->thread, NULL, loopback_serve, server);
}

static inline void loopback_join(loopback *server) {
    pthread_join(server->thread, NULL);
    close(server->fd);
}

#endif
