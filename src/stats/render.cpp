// SPDX-License-Identifier: Apache-2.0
#include "stats/render.h"

#include "stats/conn_metrics.h"
#include "stats/prometheus.h"
#include "stats/times.h"

#include <cstdio>

namespace pool {
namespace {

void add_value(TextOut &out, const Field &field, int64_t value) {
    if (field.kind == FieldKind::kSignedGauge)
        out.add_signed(value);
    else
        out.add_number(static_cast<uint64_t>(value));
}

// ---- text: "objects sessions#1 gets=12 ..." ----

void render_text(const Snapshot &snapshot, TextOut &out) {
    for (const PoolRecord &pool : snapshot) {
        const AreaFields &area = fields_of(pool.area);
        out.add(area.name);
        out.add(' ');
        for (const char *c = pool.name; *c != '\0'; c++)
            out.add(static_cast<unsigned char>(*c) <= ' ' || *c == '\x7f' ? '_' : *c);
        out.add('#');
        out.add_number(pool.id);
        for (size_t i = 0; i < area.count; i++) {
            out.add(' ');
            out.add(area.fields[i].name);
            out.add('=');
            add_value(out, area.fields[i], pool.value(area.fields[i]));
        }
        add_times_text(pool, out);
        out.add('\n');
    }
}

// ---- JSON ----

void add_json_string(TextOut &out, const char *text) {
    out.add('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            out.add('\\');
            out.add(*text);
        } else if (static_cast<unsigned char>(*text) < ' ') {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(*text));
            out.add(escape);
        } else {
            out.add(*text);
        }
    }
    out.add('"');
}

void render_json(const Snapshot &snapshot, TextOut &out) {
    const char *before = "[\n{";
    for (const PoolRecord &pool : snapshot) {
        const AreaFields &area = fields_of(pool.area);
        out.add(before);
        before = ",\n{";
        out.add("\"area\":\"");
        out.add(area.name);
        out.add("\",\"name\":");
        add_json_string(out, pool.name);
        out.add(",\"id\":");
        out.add_number(pool.id);
        for (size_t i = 0; i < area.count; i++) {
            out.add(",\"");
            out.add(area.fields[i].name);
            out.add("\":");
            add_value(out, area.fields[i], pool.value(area.fields[i]));
        }
        add_times_json(pool, out);
        out.add('}');
    }
    out.add(before[0] == '[' ? "[]\n" : "\n]\n");
}

// ---- Prometheus: families of one metric, each with a sample per pool ----

void add_metric_name(TextOut &out, const AreaFields &area, const Field &field) {
    out.add("pool_");
    out.add(area.name);
    out.add('_');
    out.add(field.name);
    if (field.kind == FieldKind::kTime)
        out.add("_seconds");
    if (field.kind == FieldKind::kTime || field.kind == FieldKind::kCounter)
        out.add("_total");
}

void add_sample(TextOut &out, const AreaFields &area, const Field &field, const PoolRecord &pool) {
    add_metric_name(out, area, field);
    add_pool_labels(out, pool);
    out.add("} ");
    int64_t value = pool.value(field);
    if (field.kind == FieldKind::kTime)
        out.add_seconds(static_cast<uint64_t>(value));
    else
        add_value(out, field, value);
    out.add('\n');
}

void render_prometheus(const Snapshot &snapshot, TextOut &out) {
    for (Area kind : kAreas) {
        const AreaFields &area = fields_of(kind);
        for (size_t i = 0; i < area.count; i++) {
            const Field &field = area.fields[i];
            bool begun = false;
            for (const PoolRecord &pool : snapshot) {
                if (pool.area != kind)
                    continue;
                if (!begun) {
                    out.add("# HELP ");
                    add_metric_name(out, area, field);
                    out.add(' ');
                    out.add(field.help);
                    out.add("\n# TYPE ");
                    add_metric_name(out, area, field);
                    bool counter =
                        field.kind == FieldKind::kCounter || field.kind == FieldKind::kTime;
                    out.add(counter ? " counter\n" : " gauge\n");
                    begun = true;
                }
                add_sample(out, area, field, pool);
            }
        }
    }
    render_conn_metrics(snapshot, out);
    render_times(snapshot, out);
}

} // namespace

RenderFn renderer(pool_stats_format format) {
    switch (format) {
    case POOL_STATS_TEXT:
        return render_text;
    case POOL_STATS_JSON:
        return render_json;
    case POOL_STATS_PROMETHEUS:
        return render_prometheus;
    default:
        return nullptr;
    }
}

} // namespace pool
