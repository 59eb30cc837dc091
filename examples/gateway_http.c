/* gateway_http.c - HTTP/1.1 on a socket: buffers both ways, strict heads, framed bodies.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Strict, because what two parsers understand differently can be used to smuggle one request inside
 * another: lines end in CRLF, no control characters, no blank before a colon, no folded lines, one
 * Content-Length or one Transfer-Encoding, and chunks decoded and framed anew.
 */
#define _GNU_SOURCE
#include "gateway_http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- sockets --------------------------------------------------------------------------------- */

int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

int listen_on(const char *address) {
    char host[256] = "";
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    if (colon == NULL || (size_t)(colon - address) >= sizeof host)
        return -1;
    size_t bracket = address[0] == '[' && colon > address + 1 && colon[-1] == ']';
    memcpy(host, address + bracket, (size_t)(colon - address) - 2 * bracket);
    if (getaddrinfo(host[0] != 0 ? host : NULL, colon + 1, &hints, &found) != 0)
        return -1;
    int one = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool good = bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1024) == 0;
    freeaddrinfo(found);
    if (!good)
        close(fd);
    return good ? fd : -1;
}

uint16_t port_of(int listener) {
    struct sockaddr_in6 address; /* a v4 address has its port in the same place */
    socklen_t length = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &length);
    return ntohs(address.sin6_port);
}

/* A call would have blocked: wait until it would not, or until `to`, if that is an upstream that is
 * being told something, has something to say. */
static void await(struct wire *w, short events, struct wire *to) {
    struct pollfd set[2] = {{w->fd, events, 0}, {to->is_upstream ? to->fd : -1, POLLIN, 0}};
    int ready = poll(set, 2, (int)(w->timeout / 1000000));
    if (ready == 0)
        w->trouble = LATE;
    else if (ready > 0 && set[0].revents == 0)
        to->trouble = ANSWERED;
}

void flush(struct wire *to) {
    while (to->trouble == FINE && to->out.start < to->out.end) {
        ssize_t n = send(to->fd, to->out.data + to->out.start, to->out.end - to->out.start,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            to->out.start += (size_t)n;
        else if (errno == EAGAIN)
            await(to, POLLOUT, to);
        else
            to->trouble = BROKEN;
    }
    to->out.start = to->out.end = 0;
}

static void put(struct wire *to, const char *data, size_t length) {
    while (length > 0 && to->trouble == FINE) {
        size_t room = to->out.size - to->out.end, n = length < room ? length : room;
        memcpy(to->out.data + to->out.end, data, n);
        to->out.end += n;
        data += n;
        length -= n;
        if (length > 0)
            flush(to);
    }
}

void put_strings(struct wire *to, ...) {
    va_list strings;
    va_start(strings, to);
    for (const char *s; (s = va_arg(strings, const char *)) != NULL;)
        put(to, s, strlen(s));
    va_end(strings);
}

/* Put a part of a body. As pool_stats_write() likes it. */
void put_piece(const char *data, size_t length, void *wire) {
    struct wire *to = wire;
    char size[24];
    if (to->chunked && snprintf(size, sizeof size, "%zx\r\n", length) > 0)
        SAY(to, size);
    put(to, data, length);
    if (to->chunked)
        SAY(to, "\r\n");
}

/* Read what is there; false if that is nothing. */
bool receive(struct wire *from) {
    struct buffer *in = &from->in;
    memmove(in->data, in->data + in->start, in->end - in->start);
    in->end -= in->start;
    in->start = 0;
    ssize_t n = recv(from->fd, in->data + in->end, in->size - in->end, MSG_DONTWAIT);
    if (n > 0)
        in->end += (size_t)n;
    else if (n == 0)
        from->trouble = ENDED;
    else if (errno != EAGAIN)
        from->trouble = BROKEN;
    return n > 0;
}

/* Read at least a byte. Before that, `to` is sent what it is owed. */
bool fill(struct wire *from, struct wire *to) {
    flush(to);
    while (from->trouble == FINE && to->trouble == FINE) {
        if (receive(from))
            return true;
        if (from->trouble == FINE)
            await(from, POLLIN, to);
    }
    return false;
}

/* ---- heads ----------------------------------------------------------------------------------- */

/* Cut a line off the buffer, with a NUL where its CRLF was. NULL if there is no CRLF, or a control
 * character before it. */
static char *cut_line(struct buffer *in) {
    char *line = in->data + in->start, *lf = memchr(line, '\n', in->end - in->start), *c = line;
    if (lf == NULL || lf == line || lf[-1] != '\r')
        return NULL;
    lf[-1] = 0;
    in->start += (size_t)(lf - line) + 1;
    while (*c == '\t' || ((unsigned char)*c >= ' ' && *c != 127))
        c++;
    return c == lf - 1 ? line : NULL;
}

/* Does the buffer begin with a whole head? Line ends of any kind will do: cut_line() judges them.
 */
bool has_head(const struct buffer *in) {
    const char *line = in->data + in->start, *end = in->data + in->end, *lf;
    for (; line < end && (lf = memchr(line, '\n', (size_t)(end - line))) != NULL; line = lf + 1)
        if (lf == line || (lf == line + 1 && *line == '\r'))
            return true;
    return false;
}

static bool is_token(const char *s) {
    const char *begin = s;
    while (*s != 0 && (isalnum((unsigned char)*s) || strchr("!#$%&'*+-.^_`|~", *s) != NULL))
        s++;
    return s > begin && *s == 0;
}

static bool is(const char *a, const char *b) {
    return strcasecmp(a, b) == 0;
}

/* Is there such an item in a list with commas? */
bool lists(const char *list, const char *item) {
    const size_t length = strlen(item);
    for (const char *at = list; (at = strcasestr(at, item)) != NULL; at++)
        if ((at == list || strchr(" \t,", at[-1]) != NULL) && strchr(" \t,", at[length]) != NULL)
            return true; /* strchr finds the NUL, too */
    return false;
}

/* Does a Connection field name this? */
bool connection_has(const struct head *head, const char *item) {
    for (const struct field *f = head->fields; f < head->fields + head->count; f++)
        if (is(f->name, "Connection") && lists(f->value, item))
            return true;
    return false;
}

static int read_field(struct head *head, char *line) {
    char *value = strchr(line, ':');
    if (head->count == MAX_FIELDS)
        return 431;
    if (value == NULL)
        return 400;
    *value++ = 0;
    if (!is_token(line)) /* nor is the blank that a folded line begins with */
        return 400;
    value += strspn(value, " \t");
    for (size_t n = strlen(value); n > 0 && strchr(" \t", value[n - 1]) != NULL;)
        value[--n] = 0;
    head->fields[head->count++] = (struct field){line, value};

    char **once = is(line, "Host")             ? &head->host
                  : is(line, "Content-Length") ? &head->length_text
                  : is(line, "Expect")         ? &head->expect
                                               : NULL;
    if (once != NULL && *once != NULL)
        return 400;
    if (once != NULL)
        *once = value;
    if (is(line, "Transfer-Encoding")) {
        if (head->chunked || !is(value, "chunked"))
            return head->chunked ? 400 : 501;
        head->chunked = true;
    }
    return 0;
}

/* Cut a head that is complete into lines and fields. 0, or the status that says what is wrong. */
static int read_head(struct buffer *in, struct head *head) {
    int status = 0;
    memset(head, 0, offsetof(struct head, fields));
    char *line = head->line = cut_line(in);
    while (status == 0 && line != NULL && (line = cut_line(in)) != NULL && *line != 0)
        status = read_field(head, line);
    if (line == NULL || status != 0)
        return line == NULL ? 400 : status;
    if (head->length_text == NULL)
        return 0;
    size_t length = strlen(head->length_text);
    head->length = strtoull(head->length_text, NULL, 10);
    bool good = length > 0 && length <= 18 && strspn(head->length_text, "0123456789") == length;
    return good && !head->chunked ? 0 : 400;
}

/* The minor version that `text` begins with; -1 if it does not. */
static int read_version(const char *text) {
    return strncmp(text, "HTTP/1.", 7) == 0 && (text[7] == '0' || text[7] == '1') ? text[7] - '0'
                                                                                  : -1;
}

/* 0, or the status to refuse the request with. */
int read_request(struct buffer *in, struct head *head) {
    int status = read_head(in, head);
    if (head->line == NULL)
        return 400;
    char *version = head->line;
    head->method = strsep(&version, " ");
    head->target = strsep(&version, " ");
    if (version == NULL || strlen(version) != 8 || !is_token(head->method))
        return 400;
    head->minor = read_version(version);
    for (const char *c = head->target; *c != 0; c++)
        if (*c <= ' ' || *c > '~')
            return 400;
    if (status != 0 || head->minor < 0)
        return status != 0 ? status : strncmp(version, "HTTP/", 5) == 0 ? 505 : 400;
    if (strncasecmp(head->target, "http://", 7) == 0) { /* its host counts, whatever Host says */
        char *host = head->target + 7, *path = strchrnul(host, '/');
        head->host = memmove(head->target, host, (size_t)(path - host));
        head->host[path - host] = 0;
        head->target = *path == '/' ? path : "/";
        if (path == host)
            return 400;
    }
    if (*head->target != '/')
        return 400;
    if (strcmp(head->method, "CONNECT") == 0)
        return 501;
    if (head->host != NULL && strpbrk(head->host, " \t,/@?#\\\"<>") != NULL)
        return 400;
    return (head->minor > 0 ? head->host == NULL : head->chunked) ? 400 : 0;
}

bool read_response(struct buffer *in, struct head *head) {
    if (read_head(in, head) != 0 || strlen(head->line) < 12 || head->line[8] != ' ')
        return false;
    const char *status = head->line + 9;
    head->minor = read_version(head->line);
    head->status = atoi(status);
    head->length = head->length_text != NULL ? head->length : UNTIL_CLOSE;
    return head->minor >= (head->chunked ? 1 : 0) && strspn(status, "0123456789") == 3 &&
           *status > '0' && strchr(" ", status[3]) != NULL;
}

/* The fields, but for those that end at this hop; the head goes on after them. */
void put_fields(struct wire *to, const struct head *head, bool chunked) {
    static const char hop[] = "Connection,Keep-Alive,Proxy-Connection,TE,Trailer,Upgrade,"
                              "Transfer-Encoding,Content-Length,Host,Expect";
    for (const struct field *f = head->fields; f < head->fields + head->count; f++)
        if (!lists(hop, f->name) && !connection_has(head, f->name))
            SAY(to, f->name, ": ", f->value, "\r\n");
    if (head->length_text != NULL && head->status / 100 != 1 && head->status != 204)
        SAY(to, "Content-Length: ", head->length_text, "\r\n");
    if (chunked)
        SAY(to, "Transfer-Encoding: chunked\r\n");
}

/* ---- bodies ---------------------------------------------------------------------------------- */

/* Pass on `count` bytes, or all until the sender closes. True if they have all been read. */
static bool relay_bytes(struct wire *from, struct wire *to, uint64_t count) {
    struct buffer *in = &from->in;
    while (count > 0 && (in->start < in->end || fill(from, to))) {
        size_t n = in->end - in->start < count ? in->end - in->start : (size_t)count;
        put_piece(in->data + in->start, n, to);
        in->start += n;
        count -= count == UNTIL_CLOSE ? 0 : n;
    }
    return count == 0 || (count == UNTIL_CLOSE && from->trouble == ENDED);
}

/* The next line of chunked framing; NULL in trouble. */
static char *read_line(struct wire *from, struct wire *to) {
    struct buffer *in = &from->in;
    while (memchr(in->data + in->start, '\n', in->end - in->start) == NULL &&
           in->end - in->start < MAX_CHUNK_LINE)
        if (!fill(from, to))
            return NULL;
    char *line = cut_line(in);
    if (line == NULL)
        from->trouble = MALFORMED;
    return line;
}

static bool malformed(struct wire *from) {
    from->trouble = MALFORMED;
    return false;
}

/* The same for a chunked body. Its extensions and trailers end here. */
static bool relay_chunks(struct wire *from, struct wire *to) {
    const char *line;
    for (uint64_t size = 1; size > 0;) {
        if ((line = read_line(from, to)) == NULL)
            return false;
        size_t digits = strspn(line, "0123456789abcdefABCDEF");
        if (digits == 0 || digits > 15 || strchr(";", line[digits]) == NULL) /* or the NUL */
            return malformed(from);
        size = strtoull(line, NULL, 16);
        if (size > 0) {
            if (!relay_bytes(from, to, size) || (line = read_line(from, to)) == NULL)
                return false;
            if (*line != 0)
                return malformed(from);
        }
    }
    for (int trailers = 0; (line = read_line(from, to)) != NULL && *line != 0;)
        if (++trailers > MAX_FIELDS)
            return malformed(from);
    return line != NULL;
}

/* Pass on the body that belongs to a head. True if it was read to its end. */
bool relay(struct wire *from, struct wire *to, const struct head *head, bool chunked) {
    to->chunked = chunked;
    bool complete = head->chunked ? relay_chunks(from, to) : relay_bytes(from, to, head->length);
    if (chunked && complete)
        SAY(to, "0\r\n\r\n");
    flush(to);
    return complete;
}
