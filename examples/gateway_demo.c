/* gateway_demo.c - what `gateway` does without arguments: the same load through the gateway twice,
 * with libpool bypassed and with it, and a table that compares the two.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each gateway is a process of its own, so that its memory can be told apart. This process is the
 * origin (one thread) and the clients (eight). The bypass is what a simple server does: malloc and
 * free for each buffer and state, a new upstream connection for each request, a new thread each time
 * a silent client has something to say. All else is the same code.
 */
#define _GNU_SOURCE
#include "gateway.h"
#include "gateway_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 8, LARGEST = 65536, SLOWEST = 100000 };

/* One half of the demonstration. In memory that both processes share. */
struct half {
    const char *name;
    const struct supply *supply;
    int listener;
    pid_t gateway;
    uint64_t taken, allocations, dials, threads; /* counted by the gateway */
    int64_t end;
    uint64_t answered, failed;
    uint32_t latencies[SLOWEST + 1]; /* how many took so many microseconds */
};

static struct half *current; /* in a gateway's process: its own */
static char letters[LARGEST];

static int connect_to(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = 5};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* ---- the bypass ------------------------------------------------------------------------------ */

static void *calloc_exchange(struct gateway *gw, size_t size) {
    (void)gw;
    COUNT(current->taken, 1);
    COUNT(current->allocations, 1);
    return calloc(1, size);
}

static void free_exchange(struct gateway *gw, void *exchange) {
    (void)gw;
    free(exchange);
}

static char *malloc_buffer(struct gateway *gw, size_t *size) {
    (void)gw;
    COUNT(current->taken, 1);
    COUNT(current->allocations, 1);
    return malloc(*size = BUFFER_SIZE);
}

static void free_buffer(struct gateway *gw, char *buffer, size_t size) {
    (void)gw;
    (void)size;
    free(buffer);
}

static int dial_upstream(struct gateway *gw, struct upstream *up, bool fresh) {
    (void)fresh;
    COUNT(current->dials, 1);
    up->address = gw->set.upstreams[0];
    up->used = false;
    up->fd = connect_to((uint16_t)atoi(strrchr(up->address, ':') + 1));
    return up->fd < 0 ? 502 : 0;
}

static void close_upstream(struct gateway *gw, struct upstream *up, bool good) {
    struct linger reset = {1, 0}; /* or a port for each request would soon have used up all ports */
    (void)gw;
    (void)good;
    setsockopt(up->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(up->fd);
}

struct task {
    void (*run)(void *);
    void *arg;
};

static void *run_task(void *memory) {
    struct task task = *(struct task *)memory;
    free(memory);
    task.run(task.arg);
    return NULL;
}

static bool start_thread(struct gateway *gw, void (*run)(void *), void *arg) {
    struct task *task = malloc(sizeof *task);
    pthread_t thread;
    (void)gw;
    COUNT(current->threads, 1);
    if (task != NULL)
        *task = (struct task){run, arg};
    if (task == NULL || pthread_create(&thread, NULL, run_task, task) != 0) {
        free(task);
        return false;
    }
    return pthread_detach(thread) == 0;
}

static const struct supply bypassed = {calloc_exchange, free_exchange,  malloc_buffer, free_buffer,
                                       dial_upstream,   close_upstream, start_thread};

/* ---- the gateway's process ------------------------------------------------------------------- */

/* Tell the other process what the pools have counted, and the user now and then. */
static void report(struct gateway *gw) {
    static int64_t next;
    static int seconds;
    struct half *half = current;
    if (half->supply == &pooled) {
        pool_objects_stats objects = {.size = sizeof objects};
        pool_buffers_stats buffers = {.size = sizeof buffers};
        pool_conns_stats conns = {.size = sizeof conns};
        pool_workers_stats workers = {.size = sizeof workers};
        pool_objects_get_stats(gw->exchanges, &objects);
        pool_buffers_get_stats(gw->buffers, &buffers);
        pool_conns_get_stats(gw->conns, &conns);
        pool_workers_get_stats(gw->workers, &workers);
        half->taken = objects.gets + buffers.gets;
        half->allocations = objects.created + buffers.misses;
        half->dials = conns.dials;
        half->threads = workers.workers;
    }
    if (READ(gw->requests) == 0 || now() < next)
        return;
    if (next != 0)
        fprintf(stderr,
                "%s %3d s: %ju requests | states and buffers: %ju taken, %ju allocated | upstream: "
                "%ju dials | workers: %ju threads\n",
                half->name, ++seconds, (uintmax_t)READ(gw->requests), (uintmax_t)READ(half->taken),
                (uintmax_t)READ(half->allocations), (uintmax_t)READ(half->dials),
                (uintmax_t)READ(half->threads));
    next = now() + SECOND;
}

static void start_half(struct half *half, const struct settings *set, const char *origin) {
    half->listener = listen_on("127.0.0.1:0");
    pid_t child = fork();
    if (child != 0) {
        half->gateway = child; /* written by this process only */
        return;
    }
    static struct gateway gw;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    current = half;
    gw.set = *set;
    gw.set.upstreams[0] = origin;
    gw.set.upstream_count = 1;
    gw.supply = half->supply;
    gw.listener = half->listener;
    gw.tick = report;
    if (half->supply == &pooled)
        start_pools(&gw);
    exit(run_gateway(&gw));
}

/* ---- the origin ------------------------------------------------------------------------------ */

/* GET /N is answered with N letters. A head is left in the socket until it is complete, so that a
 * connection needs no state. */
static bool answer(int fd) {
    char request[2048], head[128], *end;
    ssize_t length = recv(fd, request, sizeof request - 1, MSG_PEEK | MSG_DONTWAIT);
    if (length <= 0)
        return length < 0 && errno == EAGAIN;
    request[length] = 0;
    if ((end = strstr(request, "\r\n\r\n")) == NULL)
        return true;
    recv(fd, request, (size_t)(end + 4 - request), 0);
    size_t size = strtoul(request + 5, NULL, 10);
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    struct iovec parts[2] = {{head, (size_t)n}, {letters, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return size <= LARGEST && sendmsg(fd, &message, MSG_NOSIGNAL) == n + (ssize_t)size;
}

static void *run_origin(void *arg) {
    int listener = *(int *)arg, epoll = epoll_create1(EPOLL_CLOEXEC), one = 1;
    struct epoll_event events[64], event = {.events = EPOLLIN, .data = {.fd = listener}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                if (!answer(fd))
                    close(fd);
            } else if ((event.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
            }
        }
    }
    return NULL;
}

/* ---- the clients ----------------------------------------------------------------------------- */

/* One request over an open connection; false if the answer is not the right one. */
static bool ask(int fd, char *data, size_t room, size_t size) {
    char request[64], expected[64], *body = NULL;
    size_t length = 0;
    int n = snprintf(request, sizeof request, "GET /%zu HTTP/1.1\r\nHost: demo\r\n\r\n", size);
    if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    while (body == NULL || length < (size_t)(body - data) + size) {
        ssize_t got = recv(fd, data + length, room - length - 1, 0);
        if (got <= 0)
            return false;
        data[length += (size_t)got] = 0;
        if (length >= 13 && strncmp(data, "HTTP/1.1 200 ", 13) != 0)
            return false;
        if (body == NULL && (body = strstr(data, "\r\n\r\n")) != NULL)
            body += 4;
    }
    snprintf(expected, sizeof expected, "\r\nContent-Length: %zu\r\n", size);
    return strstr(data, expected) != NULL && length == (size_t)(body - data) + size &&
           memcmp(body, letters, size) == 0;
}

static void *run_client(void *arg) {
    static const size_t sizes[] = {100, 1000, 300, 4000, 100, 16000, 1000, LARGEST};
    struct half *half = arg;
    const uint16_t port = port_of(half->listener);
    const size_t room = LARGEST + 1024;
    char *data = malloc(room);
    int fd = -1;
    for (size_t i = 0; now() < half->end; i++) {
        int64_t begun = now();
        if (fd < 0)
            fd = connect_to(port);
        bool good = fd >= 0 && ask(fd, data, room, sizes[i % 8]);
        int64_t took = (now() - begun) / 1000;
        COUNT(half->latencies[took < SLOWEST ? took : SLOWEST], 1);
        COUNT(*(good ? &half->answered : &half->failed), 1);
        if (!good && fd >= 0) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        close(fd);
    free(data);
    return NULL;
}

/* ---- the demonstration ----------------------------------------------------------------------- */

static double percentile(const struct half *half, double part) {
    uint64_t rank = (uint64_t)((double)(half->answered + half->failed) * part), seen = 0, us = 0;
    while (us < SLOWEST && (seen += half->latencies[us]) <= rank)
        us++;
    return (double)us;
}

enum { RATE, P50, P99, FAILED, DIALS, ALLOCATIONS, THREADS, MEMORY, FIGURES };

static void measure(struct half *half, int64_t duration, double *figures) {
    pthread_t clients[CLIENTS];
    struct rusage usage = {.ru_maxrss = 0};
    int status = 0;
    const int64_t begun = now();
    half->end = begun + duration;
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, run_client, half);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    figures[RATE] = (double)half->answered * 1e9 / (double)(now() - begun);
    if (half->gateway > 0)
        kill(half->gateway, SIGTERM);
    wait4(half->gateway, &status, 0, &usage);
    if (status != 0)
        fprintf(stderr, "%s: the gateway ended with status %d\n", half->name, status);
    figures[P50] = percentile(half, 0.5);
    figures[P99] = percentile(half, 0.99);
    figures[FAILED] = (double)half->failed + (status != 0);
    figures[DIALS] = (double)half->dials;
    figures[ALLOCATIONS] = (double)half->allocations;
    figures[THREADS] = (double)half->threads;
    figures[MEMORY] = (double)usage.ru_maxrss;
}

int run_demo(const struct settings *set) {
    static const char *const rows[FIGURES] = {
        "requests per second", "latency p50, us", "latency p99, us", "failed requests",
        "upstream dials",      "allocations",     "threads started", "peak memory, KiB"};
    static int origin;
    double figures[2][FIGURES];
    char address[32];
    pthread_t thread;
    struct half *halves =
        mmap(NULL, 2 * sizeof *halves, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    origin = listen_on("127.0.0.1:0");
    if (halves == MAP_FAILED || origin < 0) {
        perror("gateway: demonstration");
        return 2;
    }
    printf("%d keep-alive clients, bodies of 100 B to 64 KiB, %.3g s each way\n"
           "bypassed: malloc per buffer and state, a connection per request, a thread per wake-up\n"
           "pooled:   the same code on libpool's objects, buffers, connections and workers\n\n",
           CLIENTS, (double)set->seconds / 1e9);
    fflush(stdout);
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (char)('a' + i % 26);
    snprintf(address, sizeof address, "127.0.0.1:%u", port_of(origin));
    halves[0].name = "bypassed";
    halves[0].supply = &bypassed;
    halves[1].name = "pooled  ";
    halves[1].supply = &pooled;
    for (int i = 0; i < 2; i++)
        start_half(&halves[i], set, address);
    pthread_create(&thread, NULL, run_origin, &origin);
    for (int i = 0; i < 2; i++)
        measure(&halves[i], set->seconds, figures[i]);
    printf("\n%-20s %12s %12s\n", "", "bypassed", "pooled");
    for (int i = 0; i < FIGURES; i++)
        printf("%-20s %12.0f %12.0f\n", rows[i], figures[0][i], figures[1][i]);
    return figures[0][FAILED] + figures[1][FAILED] > 0;
}
