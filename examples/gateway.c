/* gateway.c - an HTTP/1.1 reverse proxy that stands on all four pools of libpool.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     gateway --listen 127.0.0.1:8000 --upstream 127.0.0.1:8080     a proxy; --help has more
 *     gateway                                                       a demonstration, about 10 s
 *
 *   objects   What is known of a request (exchange) comes from an object pool, whose reset callback
 *             sees to it that nothing is carried over to the next one.
 *   buffers   Bytes are relayed through pooled buffers. A client that is idle holds none.
 *   conns     Connections to upstreams are kept open under the key "host:port", bounded, and waited
 *             for in line. One that turns out to be stale costs a retry, not a failed request. An
 *             upstream that is down is asked now and then, by one request, and fails the others.
 *   workers   The main thread watches silent clients with epoll. One that has something to say
 *             becomes a task: a worker serves it with plain blocking code, then parks it again.
 *   stats     GET /_pool shows every pool of the process to Prometheus.
 *
 * All that comes from libpool is taken and given back in the first section, behind `pooled`;
 * gateway_demo.c puts malloc, connect and pthread_create in its place and compares the two.
 */
#define _GNU_SOURCE
#include "gateway.h"
#include "gateway_http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FILES = 16384 };

/* A client, found by its socket. It is the main thread's while parked, else a worker's. */
static struct session {
    struct gateway *gateway;
    struct wire wire; /* without buffers while idle */
    int64_t deadline; /* for the rest of a head if begun, else for the next request */
    bool begun, watched;
    bool parked; /* guarded by gateway.lock */
    char peer[64];
} sessions[MAX_FILES];

/* A request and its response. */
struct exchange {
    struct upstream upstream;
    struct wire wire; /* to it */
    bool reusable;    /* it can serve another request */
    bool replayable;  /* the request can be sent a second time */
    bool head_only;   /* the method is HEAD */
    bool complete;    /* the request was read to its end */
    bool keep;        /* the client can send another one */
    struct head request, response;
};

static void die(const char *what, const char *why) {
    fprintf(stderr, "gateway: %s: %s\n", what, why);
    exit(2);
}

/* ---- libpool: all that is taken and given back ----------------------------------------------- */

static void *make_exchange(void *ctx) {
    (void)ctx;
    return calloc(1, sizeof(struct exchange));
}

static pool_status reset_exchange(void *exchange, void *ctx) {
    (void)ctx;
    memset(exchange, 0, sizeof(struct exchange));
    return POOL_OK;
}

static void free_exchange(void *exchange, void *ctx) {
    (void)ctx;
    free(exchange);
}

static void *take_exchange(struct gateway *gw, size_t size) {
    (void)size;
    return pool_objects_get(gw->exchanges);
}

static void give_exchange(struct gateway *gw, void *exchange) {
    pool_objects_put(gw->exchanges, exchange);
}

static char *take_buffer(struct gateway *gw, size_t *size) {
    pool_buffer buffer = pool_buffers_get(gw->buffers, BUFFER_SIZE);
    *size = buffer.capacity;
    return buffer.data;
}

static void give_buffer(struct gateway *gw, char *buffer, size_t size) {
    pool_buffers_put(gw->buffers, (pool_buffer){buffer, size});
}

/* Each upstream is a key of the pool. They take turns; one that cannot be reached is passed over.
 */
static int lease_upstream(struct gateway *gw, struct upstream *up, bool fresh) {
    const int64_t end = now() + gw->set.upstream_timeout;
    const uint64_t turn = COUNT(gw->turn, 1);
    const pool_conns_acquire_options how = {
        .size = sizeof how, .taker = "request", .flags = fresh ? POOL_CONNS_FRESH : 0};
    for (uint32_t i = 0; i < gw->set.upstream_count; i++) {
        const char *key = gw->set.upstreams[(turn + i) % gw->set.upstream_count];
        const int64_t left = end - now();
        pool_status status = left <= 0 ? POOL_ETIMEDOUT
                                       : pool_conns_acquire_with(gw->conns, key, strlen(key), left,
                                                                 &how, &up->lease);
        if (status == POOL_ETIMEDOUT)
            return 504;
        if (status != POOL_OK)
            continue;
        up->address = key;
        up->fd = pool_conns_lease_fd(up->lease);
        up->used = pool_conns_lease_uses(up->lease) > 0;
        return 0;
    }
    return 502;
}

static void return_upstream(struct gateway *gw, struct upstream *up, bool good) {
    (void)gw;
    if (good)
        pool_conns_release(up->lease);
    else
        pool_conns_discard(up->lease);
}

static bool submit(struct gateway *gw, void (*task)(void *), void *arg) {
    return pool_workers_try_submit(gw->workers, task, arg) == POOL_OK;
}

const struct supply pooled = {take_exchange,  give_exchange,   take_buffer, give_buffer,
                              lease_upstream, return_upstream, submit};

void start_pools(struct gateway *gw) {
    pool_objects_options objects = {.size = sizeof objects,
                                    .name = "exchanges",
                                    .create = make_exchange,
                                    .reset = reset_exchange,
                                    .destroy = free_exchange,
                                    .object_size = sizeof(struct exchange),
                                    .sweep_period = 10 * SECOND}; /* a peak is forgotten */
    pool_buffers_options buffers = {.size = sizeof buffers,
                                    .name = "buffers",
                                    .min_size = BUFFER_SIZE,
                                    .sweep_period = 10 * SECOND};
    pool_conns_options conns = {.size = sizeof conns,
                                .name = "upstreams",
                                .max_open_per_key = gw->set.max_upstream,
                                .connect_timeout = 3 * SECOND,
                                .idle_timeout = 30 * SECOND,  /* we are the one to close, */
                                .reap_interval = 10 * SECOND, /* also when nobody asks */
                                .dial_backoff_max = SECOND,
                                .flags = POOL_CONNS_FAIL_FAST};
    pool_workers_options workers = {.size = sizeof workers,
                                    .name = "gateway",
                                    .max_workers = gw->set.workers,
                                    .queue_capacity = MAX_FILES}; /* so never full */
    if (pool_objects_create(&objects, &gw->exchanges) != POOL_OK ||
        pool_buffers_create(&buffers, &gw->buffers) != POOL_OK ||
        pool_conns_create(&conns, &gw->conns) != POOL_OK ||
        pool_workers_create(&workers, &gw->workers) != POOL_OK)
        die("cannot make the pools", pool_last_error());
}

static void stop_pools(struct gateway *gw) {
    pool_workers_stop(gw->workers, POOL_WORKERS_DRAIN, POOL_FOREVER, NULL);
    pool_workers_destroy(gw->workers);
    pool_conns_destroy(gw->conns);
    pool_buffers_destroy(gw->buffers);
    pool_objects_destroy(gw->exchanges);
}

/* Give a wire its buffers. */
static bool open_wire(struct gateway *gw, struct wire *w, int fd, int64_t timeout) {
    w->fd = fd;
    w->timeout = timeout;
    w->trouble = FINE;
    if (w->in.data == NULL)
        w->in.data = gw->supply->take_buffer(gw, &w->in.size);
    if (w->out.data == NULL)
        w->out.data = gw->supply->take_buffer(gw, &w->out.size);
    return w->in.data != NULL && w->out.data != NULL;
}

static void drop_buffer(struct gateway *gw, struct buffer *b) {
    gw->supply->give_buffer(gw, b->data, b->size);
    *b = (struct buffer){0};
}

/* ---- requests -------------------------------------------------------------------------------- */

enum { STALE = -1, LOST = -2 }; /* beside 0 and the status to refuse a request with */

static const char *fate_of(const struct exchange *x) {
    return x->keep ? "" : "Connection: close\r\n";
}

/* Answer with an error, when nothing has been answered before. */
static void refuse(struct session *s, struct exchange *x, int status) {
    static const char *const reasons[] = {
        "400 Bad Request",         "408 Request Timeout",
        "501 Not Implemented",     "431 Request Header Fields Too Large",
        "502 Bad Gateway",         "504 Gateway Timeout",
        "503 Service Unavailable", "505 HTTP Version Not Supported"};
    char length[24];
    const char *const *reason = reasons;
    while (atoi(*reason) != status)
        reason++;
    COUNT(s->gateway->refused, 1);
    x->keep = x->keep && x->complete;
    s->wire.trouble = FINE; /* the client was late, perhaps: tell it so */
    snprintf(length, sizeof length, "%zu", strlen(*reason) + 1);
    SAY(&s->wire, "HTTP/1.1 ", *reason, "\r\nContent-Type: text/plain\r\nContent-Length: ", length,
        "\r\n", fate_of(x), "\r\n");
    if (!x->head_only)
        SAY(&s->wire, *reason, "\n");
}

/* GET /_pool */
static void show_pools(struct session *s, struct exchange *x) {
    struct wire *to = &s->wire;
    to->chunked = x->keep = x->keep && x->request.minor > 0;
    SAY(to, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n",
        to->chunked ? "Transfer-Encoding: chunked\r\n" : "", fate_of(x), "\r\n");
    if (!x->head_only)
        pool_stats_write(POOL_STATS_PROMETHEUS, put_piece, to);
    if (!x->head_only && to->chunked)
        SAY(to, "0\r\n\r\n");
}

/* Read the head of the response, and hand on those of interim ones. 0, STALE, or a status. */
static int await_response(struct session *s, struct exchange *x) {
    struct wire *up = &x->wire;
    for (bool silent = true;; silent = false) {
        while (!has_head(&up->in)) {
            if (up->in.end - up->in.start == up->in.size)
                return 502;
            if (!fill(up, &s->wire))
                return up->trouble == LATE                           ? 504
                       : silent && x->upstream.used && x->replayable ? STALE
                                                                     : 502;
            silent = false;
        }
        if (!read_response(&up->in, &x->response) || x->response.status == 101)
            return 502;
        if (x->response.status >= 200)
            return 0;
        if (x->response.status > 100 && x->request.minor > 0) {
            SAY(&s->wire, "HTTP/1.1 ", x->response.line + 9, "\r\n");
            put_fields(&s->wire, &x->response, false);
            SAY(&s->wire, "\r\n");
        }
    }
}

/* Send the request over the connection that x has, and pass on the response. 0, STALE, LOST (the
 * client has some of the response, or is gone), or the status to refuse the request with. */
static int converse(struct session *s, struct exchange *x) {
    struct wire *client = &s->wire, *up = &x->wire;
    const struct head *request = &x->request;
    struct head *response = &x->response;
    SAY(up, request->method, " ", request->target,
        " HTTP/1.1\r\nHost: ", request->host != NULL ? request->host : x->upstream.address, "\r\n");
    put_fields(up, request, request->chunked);
    SAY(up, "X-Forwarded-For: ", s->peer, request->minor > 0 ? "\r\nVia: 1.1" : "\r\nVia: 1.0",
        " gateway\r\n\r\n");
    if (request->expect != NULL && request->minor > 0 && client->in.start == client->in.end)
        SAY(client, "HTTP/1.1 100 Continue\r\n\r\n");
    flush(client); /* it may be waiting for that */
    x->complete = relay(client, up, request, request->chunked);
    const bool sent = x->complete && up->trouble == FINE;
    if (client->trouble != FINE)
        return client->trouble == MALFORMED ? 400 : client->trouble == LATE ? 408 : LOST;
    up->trouble = FINE; /* one that would not read it all may have answered */
    int status = await_response(s, x);
    if (status != 0)
        return status;

    if (x->head_only || response->status == 204 || response->status == 304) {
        response->chunked = false;
        response->length = 0;
    }
    bool unsized = response->chunked || response->length == UNTIL_CLOSE;
    bool chunked = unsized && request->minor > 0;
    x->keep = x->keep && x->complete && unsized == chunked && !READ(s->gateway->draining);
    SAY(client, "HTTP/1.1 ", response->line + 9, "\r\n");
    put_fields(client, response, chunked);
    SAY(client, fate_of(x), "\r\n");
    bool complete = relay(up, client, response, chunked);
    /* Bytes after the response would become the next client's: such a connection is not reused. */
    x->reusable = sent && complete && up->trouble == FINE && response->minor > 0 &&
                  !connection_has(response, "close") && up->in.start == up->in.end;
    return complete && client->trouble == FINE ? 0 : LOST;
}

/* Pass a request on; once more, over a fresh connection, if an idle one turned out to be stale. */
static int forward(struct session *s, struct exchange *x) {
    static const char idempotent[] = "GET,HEAD,PUT,DELETE,OPTIONS,TRACE";
    struct gateway *gw = s->gateway;
    const size_t body = s->wire.in.start;
    x->replayable = lists(idempotent, x->request.method) && !x->request.chunked &&
                    x->request.length <= s->wire.in.end - body;
    for (bool again = false;; again = true) {
        int status = gw->supply->connect(gw, &x->upstream, again);
        if (status != 0)
            return status;
        x->wire.is_upstream = true;
        status = open_wire(gw, &x->wire, x->upstream.fd, gw->set.upstream_timeout) ? converse(s, x)
                                                                                   : 503;
        drop_buffer(gw, &x->wire.in);
        drop_buffer(gw, &x->wire.out);
        gw->supply->disconnect(gw, &x->upstream, x->reusable);
        if (status != STALE)
            return status;
        COUNT(gw->retries, 1);
        s->wire.in.start = body;
    }
}

/* Answer the request that a client has sent the head of. False if it can send no other. */
static bool answer(struct session *s, struct exchange *x) {
    struct wire *w = &s->wire;
    struct head *request = &x->request;
    COUNT(s->gateway->requests, 1);
    int status = has_head(&w->in) ? read_request(&w->in, request) : 431;
    x->head_only = request->method != NULL && strcmp(request->method, "HEAD") == 0;
    x->complete = status == 0 && !request->chunked && request->length == 0;
    x->keep = status == 0 && request->minor > 0 && !connection_has(request, "close") &&
              !READ(s->gateway->draining);
    if (status == 0 && x->complete && strcmp(request->target, "/_pool") == 0)
        show_pools(s, x);
    else if (status == 0)
        status = forward(s, x);
    if (status > 0)
        refuse(s, x, status);
    flush(w);
    if (status == LOST || w->trouble != FINE) { /* let no part of a response pass for a whole one */
        struct linger reset = {1, 0};
        setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        return false;
    }
    if (!x->keep) { /* closed at once, what the client still sends would take the answer from it */
        int64_t end = now() + SECOND;
        shutdown(w->fd, SHUT_WR);
        w->timeout = SECOND;
        do
            w->in.start = w->in.end = 0;
        while (now() < end && fill(w, w));
    }
    return x->keep;
}

/* ---- clients --------------------------------------------------------------------------------- */

static bool watch(const struct gateway *gw, int fd, int operation) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data = {.fd = fd}};
    return epoll_ctl(gw->epoll, operation, fd, &event) == 0;
}

static void close_session(struct session *s) {
    drop_buffer(s->gateway, &s->wire.in);
    drop_buffer(s->gateway, &s->wire.out);
    COUNT(s->gateway->clients, -1);
    pthread_mutex_lock(&s->gateway->lock);
    close(s->wire.fd); /* from here on the next client may have the session */
    pthread_mutex_unlock(&s->gateway->lock);
}

/* Leave a client to the main thread until it has something to say. */
static void park(struct session *s) {
    struct gateway *gw = s->gateway;
    drop_buffer(gw, &s->wire.out);
    if (s->wire.in.start == s->wire.in.end)
        drop_buffer(gw, &s->wire.in);
    pthread_mutex_lock(&gw->lock);
    s->parked = watch(gw, s->wire.fd, s->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
    const bool parked = s->watched = s->parked;
    pthread_mutex_unlock(&gw->lock);
    if (!parked)
        close_session(s);
}

/* A worker's task: serve a client until it has no more to say. */
static void serve(void *session) {
    struct session *s = session;
    struct gateway *gw = s->gateway;
    struct wire *w = &s->wire;
    bool open = open_wire(gw, w, w->fd, gw->set.client_timeout);
    while (open) {
        while (w->in.end - w->in.start >= 2 && memcmp(w->in.data + w->in.start, "\r\n", 2) == 0)
            w->in.start += 2; /* empty lines before a request are forgiven */
        if (has_head(&w->in) || w->in.end - w->in.start == w->in.size) {
            struct exchange *x = gw->supply->take_exchange(gw, sizeof *x);
            open = x != NULL && answer(s, x);
            if (x != NULL)
                gw->supply->give_exchange(gw, x);
            s->begun = w->in.start < w->in.end;
            s->deadline = now() + (s->begun ? gw->set.client_timeout : gw->set.idle_timeout);
        } else if (!receive(w)) {
            if (w->trouble == FINE) {
                park(s);
                return;
            }
            open = false;
        } else if (!s->begun) {
            s->begun = true;
            s->deadline = now() + gw->set.client_timeout;
        }
    }
    close_session(s);
}

static void accept_clients(struct gateway *gw) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int one = 1;
    while (READ(gw->clients) < gw->max_clients) { /* else look again at the next tick */
        int fd = accept4(gw->listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN)
            watch(gw, gw->listener, EPOLL_CTL_MOD);
        if (fd < 0)
            return;
        struct session *s = &sessions[fd];
        pthread_mutex_lock(&gw->lock);
        *s = (struct session){.gateway = gw, .wire = {.fd = fd}};
        s->deadline = now() + gw->set.client_timeout;
        gw->top = fd < gw->top ? gw->top : fd + 1;
        pthread_mutex_unlock(&gw->lock);
        getnameinfo((struct sockaddr *)&peer, length, s->peer, sizeof s->peer, NULL, 0,
                    NI_NUMERICHOST);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        COUNT(gw->clients, 1);
        park(s);
        length = sizeof peer;
    }
}

/* Close the parked clients whose time is over, and those without a request if `time` is past
 * `idle_end`. */
static void sweep_clients(struct gateway *gw, int64_t time, int64_t idle_end) {
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                               "Connection: close\r\n\r\n";
    for (struct session *s = sessions; s < sessions + gw->top; s++) {
        pthread_mutex_lock(&gw->lock);
        bool over = s->parked && (s->deadline < time || (!s->begun && idle_end < time));
        s->parked = s->parked && !over;
        pthread_mutex_unlock(&gw->lock);
        if (over && s->begun)
            (void)!send(s->wire.fd, late, sizeof late - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (over)
            close_session(s);
    }
}

/* ---- the main thread ------------------------------------------------------------------------- */

/* A client has something to say. */
static void wake(struct gateway *gw, struct session *s) {
    pthread_mutex_lock(&gw->lock);
    s->parked = false;
    pthread_mutex_unlock(&gw->lock);
    if (!gw->supply->run(gw, serve, s))
        close_session(s);
}

int run_gateway(struct gateway *gw) {
    int64_t tick = 0, end = INT64_MAX, idle_end = INT64_MAX;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    pthread_sigmask(SIG_BLOCK, &mask, NULL); /* all threads inherit it */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < MAX_FILES ? files.rlim_max : MAX_FILES;
    setrlimit(RLIMIT_NOFILE, &files);
    gw->max_clients = (int64_t)files.rlim_cur - gw->set.upstream_count * gw->set.max_upstream - 16;
    if (gw->max_clients < 1)
        die("--max-upstream", "more than the files that may be open");
    const int signals = signalfd(-1, &mask, SFD_CLOEXEC);
    gw->epoll = epoll_create1(EPOLL_CLOEXEC);
    pthread_mutex_init(&gw->lock, NULL);
    watch(gw, signals, EPOLL_CTL_ADD);
    watch(gw, gw->listener, EPOLL_CTL_ADD);

    while (!gw->draining || (READ(gw->clients) > 0 && now() < end)) {
        struct epoll_event events[64];
        struct signalfd_siginfo ignored;
        int count = epoll_wait(gw->epoll, events, 64, 50);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == gw->listener)
                accept_clients(gw);
            else if (fd != signals)
                wake(gw, &sessions[fd]);
            else if (read(signals, &ignored, sizeof ignored) > 0) /* a second one ends it */
                end = now() + (gw->draining ? 0 : gw->set.drain_timeout);
        }
        if (end < INT64_MAX && !gw->draining) { /* drain: idle clients may say one thing more */
            accept_clients(gw);
            close(gw->listener);
            __atomic_store_n(&gw->draining, true, __ATOMIC_RELAXED);
            idle_end = now() + SECOND;
        }
        if (now() < tick)
            continue;
        tick = now() + SECOND / 20;
        sweep_clients(gw, now(), idle_end); /* not before each event is dealt with */
        watch(gw, signals, EPOLL_CTL_MOD);
        if (!gw->draining)
            watch(gw, gw->listener, EPOLL_CTL_MOD);
        if (gw->tick != NULL)
            gw->tick(gw);
    }
    const int64_t left = READ(gw->clients);
    fprintf(stderr, "gateway: drained: requests=%ju refused=%ju retries=%ju cut=%ju\n",
            (uintmax_t)READ(gw->requests), (uintmax_t)READ(gw->refused),
            (uintmax_t)READ(gw->retries), (uintmax_t)left);
    if (gw->tick != NULL)
        gw->tick(gw);
    if (left > 0)
        _exit(1); /* workers still use the pools */
    stop_pools(gw);
    close(gw->epoll);
    close(signals);
    return 0;
}

int main(int argc, char **argv) {
    static struct gateway gw = {.supply = &pooled,
                                .set = {.workers = 32,
                                        .max_upstream = 32,
                                        .client_timeout = 10 * SECOND,
                                        .idle_timeout = 60 * SECOND,
                                        .upstream_timeout = 30 * SECOND,
                                        .drain_timeout = 10 * SECOND,
                                        .seconds = 4 * SECOND}};
    struct settings *set = &gw.set;
    const char *listen = NULL;
    const struct {
        const char *name, *meaning;
        uint32_t *count;
        int64_t *time;
    } options[] = {
        {"--workers", "requests served at once (32)", &set->workers, NULL},
        {"--max-upstream", "connections to each upstream (32)", &set->max_upstream, NULL},
        {"--client-timeout", "for a head, or for a body to go on (10)", NULL, &set->client_timeout},
        {"--idle-timeout", "between two requests (60)", NULL, &set->idle_timeout},
        {"--upstream-timeout", "for an answer to begin or go on (30)", NULL,
         &set->upstream_timeout},
        {"--drain-timeout", "from SIGTERM to the end (10)", NULL, &set->drain_timeout},
        {"--seconds", "for each half of the demonstration (4)", NULL, &set->seconds}};
    const size_t count = sizeof options / sizeof *options;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("gateway --listen ADDR:PORT --upstream HOST:PORT [--upstream HOST:PORT ...]\n"
               "gateway   without these: a demonstration\n");
        for (size_t o = 0; o < count; o++)
            printf("  %-19s %s\n", options[o].name, options[o].meaning);
        return 0;
    }
    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1];
        size_t o = 0;
        if (value == NULL)
            die(argv[i], "needs a value, or see --help");
        if (strcmp(argv[i], "--listen") == 0) {
            listen = value;
            continue;
        }
        if (strcmp(argv[i], "--upstream") == 0 && set->upstream_count < MAX_UPSTREAMS) {
            set->upstreams[set->upstream_count++] = value;
            continue;
        }
        while (o < count && strcmp(argv[i], options[o].name) != 0)
            o++;
        if (o == count)
            die(argv[i], "no such option, see --help");
        char *end;
        double number = strtod(value, &end);
        if (*end != 0 || !(number >= (options[o].count != NULL ? 1 : 0.001) && number <= 65536))
            die(argv[i], "not a number, or out of range");
        if (options[o].count != NULL)
            *options[o].count = (uint32_t)number;
        else
            *options[o].time = (int64_t)(number * 1e9);
    }
    if (listen == NULL && set->upstream_count == 0)
        return run_demo(set);
    if (listen == NULL || set->upstream_count == 0)
        die("--listen, --upstream", "both are needed");
    gw.listener = listen_on(listen);
    if (gw.listener < 0)
        die(listen, "cannot listen there");
    fprintf(stderr, "gateway: listening on port %u\n", port_of(gw.listener));
    start_pools(&gw);
    return run_gateway(&gw);
}
