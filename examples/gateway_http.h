/* gateway_http.h - HTTP/1.1 on a socket. Knows nothing of pools.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GATEWAY_HTTP_H
#define GATEWAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_FIELDS = 100, MAX_CHUNK_LINE = 4096 };
#define UNTIL_CLOSE UINT64_MAX
#define SECOND INT64_C(1000000000)

struct buffer {
    char *data;
    size_t size, start, end; /* data[start, end) is still to be used */
};

enum trouble { FINE, ENDED, BROKEN, LATE, MALFORMED, ANSWERED };

/* A socket with a buffer each way. After the first trouble nothing is read or written any more, so
 * that one may look for trouble at the end only. */
struct wire {
    int fd;
    bool is_upstream; /* which may speak before it was told everything: ANSWERED */
    bool chunked;     /* what put_piece() puts is framed */
    int64_t timeout;  /* nanoseconds for a single wait: LATE */
    enum trouble trouble;
    struct buffer in, out;
};

/* A parsed head. The strings are in the wire's buffer: good until that is filled again. */
struct head {
    char *line, *method, *target, *host, *length_text, *expect;
    int minor, status, count;
    uint64_t length; /* of the body, if not chunked; maybe UNTIL_CLOSE */
    bool chunked;
    struct field {
        char *name, *value;
    } fields[MAX_FIELDS];
};

int64_t now(void);
int listen_on(const char *address); /* "addr:port"; -1 if that cannot be */
uint16_t port_of(int listener);

/* Nothing is sent before the buffer is full, or flush(), or a fill() that is told of it. */
#define SAY(to, ...) put_strings((to), __VA_ARGS__, (char *)NULL)
void put_strings(struct wire *to, ...);
void put_piece(const char *data, size_t length, void *wire); /* of a body */
void flush(struct wire *to);

bool receive(struct wire *from);               /* without waiting; false if there was nothing */
bool fill(struct wire *from, struct wire *to); /* flushes `to`, and waits; false in trouble */

bool has_head(const struct buffer *in);                   /* a whole one */
int read_request(struct buffer *in, struct head *head);   /* 0, or the status to refuse with */
bool read_response(struct buffer *in, struct head *head); /* false if it is none */
bool lists(const char *list, const char *item);           /* a list with commas */
bool connection_has(const struct head *head, const char *item); /* any of its Connection fields */
void put_fields(struct wire *to, const struct head *head, bool chunked);
bool relay(struct wire *from, struct wire *to, const struct head *head, bool chunked);

#endif
