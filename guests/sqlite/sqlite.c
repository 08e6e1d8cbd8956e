/* A database in memory: rows, an index, queries, an update, text. The first argument is
 * the number of rows. SQLite is built without an operating system layer: the one here
 * has a clock that stands still and no files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

static int no_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int in, int *out) {
    (void)vfs, (void)name, (void)in, (void)out;
    file->pMethods = NULL;
    return SQLITE_CANTOPEN;
}

static int no_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs, (void)name, (void)sync;
    return SQLITE_IOERR_DELETE;
}

static int no_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    (void)vfs, (void)name, (void)flags;
    *out = 0;
    return SQLITE_OK;
}

static int same_path(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int fixed_randomness(sqlite3_vfs *vfs, int size, char *out) {
    (void)vfs;
    memset(out, 7, (size_t)size);
    return size;
}

static int no_sleep(sqlite3_vfs *vfs, int microseconds) {
    (void)vfs;
    return microseconds;
}

static int still_clock(sqlite3_vfs *vfs, double *julian) {
    (void)vfs;
    *julian = 2460000.5;
    return SQLITE_OK;
}

int sqlite3_os_init(void) {
    static sqlite3_vfs vfs = {
        .iVersion = 1,
        .szOsFile = sizeof(sqlite3_file),
        .mxPathname = 64,
        .zName = "none",
        .xOpen = no_open,
        .xDelete = no_delete,
        .xAccess = no_access,
        .xFullPathname = same_path,
        .xRandomness = fixed_randomness,
        .xSleep = no_sleep,
        .xCurrentTime = still_clock,
    };
    return sqlite3_vfs_register(&vfs, 1);
}

int sqlite3_os_end(void) { return SQLITE_OK; }

static sqlite3 *db;

static void check(int code) {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
    printf("error %d: %s\n", code, sqlite3_errmsg(db));
    exit(1);
}

static void run(const char *sql) { check(sqlite3_exec(db, sql, NULL, NULL, NULL)); }

/* Prints the rows of a query, columns parted by "|". */
static void show(const char *sql) {
    sqlite3_stmt *query;
    check(sqlite3_prepare_v2(db, sql, -1, &query, NULL));
    printf("%s\n", sql);
    while (sqlite3_step(query) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(query); i++)
            printf("%s%s", i ? "|" : "  ", (const char *)sqlite3_column_text(query, i));
        printf("\n");
    }
    check(sqlite3_finalize(query));
}

int main(int argc, char **argv) {
    int rows = argc > 1 ? atoi(argv[1]) : 100000;
    unsigned x = 1;
    char name[24];
    sqlite3_stmt *insert;
    check(sqlite3_open(":memory:", &db));
    run("create table item (id integer primary key, name text, class integer, price integer)");
    run("begin");
    check(sqlite3_prepare_v2(db, "insert into item values (?, ?, ?, ?)", -1, &insert, NULL));
    for (int i = 1; i <= rows; i++) {
        x = x * 1664525u + 1013904223u;
        snprintf(name, sizeof name, "item-%06u", (x >> 8) % 1000000);
        check(sqlite3_bind_int(insert, 1, i));
        check(sqlite3_bind_text(insert, 2, name, -1, SQLITE_TRANSIENT));
        check(sqlite3_bind_int(insert, 3, (int)(x >> 28)));
        check(sqlite3_bind_int(insert, 4, (int)(x >> 12 & 0xffff)));
        check(sqlite3_step(insert));
        check(sqlite3_reset(insert));
    }
    check(sqlite3_finalize(insert));
    run("commit");
    run("create index by_name on item (name)");
    show("select count(*), min(price), max(price), sum(price) from item");
    show("select class, count(*), sum(price) from item group by class order by class limit 8");
    show("select name, price from item where name between 'item-2' and 'item-21' "
         "order by name, id limit 5");
    show("select count(*) from item a join item b on a.name = b.name and a.id < b.id");
    run("update item set price = price * 2 + 1 where class in (3, 5, 7)");
    run("delete from item where id % 10 = 3");
    show("select count(*), sum(price), sum(length(name)) from item");
    show("select substr(name, 6, 2) as k, count(distinct class), max(upper(name)) from item "
         "where name like '%77%' group by k order by k desc limit 5");
    show("with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) "
         "select sum(i * i), group_concat(i, '') like '%1999%' from n");
    show("pragma integrity_check");
    check(sqlite3_close(db));
    return 0;
}
