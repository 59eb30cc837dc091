/* database_sql.c - a database handle as Go's database/sql has it, over a stub of a driver.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the driver ------------------------------------------------------------------------------- */

typedef struct {
    int since;           /* the server's start that it was opened after */
    bool in_transaction; /* begun and not ended */
} session;

static int starts = 1; /* of the server */

/* driver.Connector */
static pool_status driver_open(const void *dsn, size_t length, int64_t deadline, void **conn,
                               void *ctx) {
    (void)dsn, (void)length, (void)deadline, (void)ctx;
    session *opened = malloc(sizeof *opened);
    if (opened == NULL)
        return POOL_ENOMEM;
    *opened = (session){starts, false};
    *conn = opened;
    return POOL_OK;
}

static void driver_close(void *conn, pool_conns_reason reason, void *ctx) {
    (void)reason, (void)ctx;
    free(conn);
}

/* driver.Validator: a session that is returned in the middle of a transaction is not kept */
static int32_t driver_is_valid(void *conn, const void *dsn, size_t length, void *ctx) {
    (void)dsn, (void)length, (void)ctx;
    return !((session *)conn)->in_transaction;
}

/* POOL_EBAD stands for driver.ErrBadConn */
static pool_status driver_exec(session *s, const char *statement) {
    if (s->since != starts)
        return POOL_EBAD;
    printf("%s\n", statement);
    return POOL_OK;
}

/* ---- the handle ------------------------------------------------------------------------------- */

static pool_conns *open_db(const char *dsn, size_t length) {
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.name = "orders";
    options.dial = driver_open;
    options.close = driver_close;
    options.after_release = driver_is_valid;
    options.key = dsn; /* what NULL stands for below */
    options.key_length = length;
    options.max_open_per_key = 4;                      /* db.SetMaxOpenConns(4) */
    options.max_idle_per_key = 2;                      /* db.SetMaxIdleConns(2) */
    options.max_lifetime = 1800 * (int64_t)1000000000; /* db.SetConnMaxLifetime(30 min) */
    pool_conns *db = NULL;
    pool_conns_create(&options, &db);
    return db;
}

static pool_status exec_on(pool_conns_lease *lease, void *conn, void *statement) {
    (void)lease;
    return driver_exec(conn, statement);
}

/* db.Exec(statement): on another connection if the first one is bad */
static pool_status db_exec(pool_conns *db, char *statement) {
    return pool_conns_run(db, NULL, 0, POOL_FOREVER, exec_on, statement);
}

/* tx, err := db.Begin(), and tx.Commit(): all on one connection */
static pool_status db_transaction(pool_conns *db, const char *statement, bool commit) {
    pool_conns_lease *tx;
    pool_status status = pool_conns_acquire(db, NULL, 0, POOL_FOREVER, &tx);
    if (status != POOL_OK)
        return status;
    session *s = pool_conns_lease_conn(tx);
    s->in_transaction = true;
    status = driver_exec(s, statement);
    s->in_transaction = !commit;
    return pool_conns_release(tx) != POOL_OK ? POOL_EMISUSE : status;
}

int main(void) {
    pool_conns *db = open_db("orders.example", 14);
    if (db == NULL)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;
    pool_status status = db_exec(db, "insert a");
    starts++; /* the server is restarted: what is idle is bad now */
    if (status == POOL_OK)
        status = db_exec(db, "insert b");
    if (status == POOL_OK)
        status = db_transaction(db, "insert c", true);
    if (status == POOL_OK)
        status = db_transaction(db, "insert d", false); /* forgotten */
    if (status != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    pool_conns_stats stats = {.size = sizeof stats}; /* db.Stats() */
    pool_conns_get_stats(db, &stats);
    printf("%d opened, %d bad, %d not valid, %d open\n", (int)stats.dials, (int)stats.closed_broken,
           (int)stats.closed_invalid, (int)stats.open);
    return pool_conns_destroy(db) != POOL_OK;
}
