// SPDX-License-Identifier: Apache-2.0
#include "stats/prometheus.h"

namespace pool {

void add_family(TextOut &out, const char *name, const char *help, const char *type) {
    out.add("# HELP ");
    out.add(name);
    out.add(' ');
    out.add(help);
    out.add("\n# TYPE ");
    out.add(name);
    out.add(' ');
    out.add(type);
    out.add('\n');
}

void add_pool_labels(TextOut &out, const PoolRecord &pool) {
    out.add("{pool=\"");
    for (const char *c = pool.name; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            out.add('\\');
        if (*c == '\n')
            out.add("\\n");
        else
            out.add(*c);
    }
    out.add("\",id=\"");
    out.add_number(pool.id);
    out.add('"');
}

} // namespace pool
