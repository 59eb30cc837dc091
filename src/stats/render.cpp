// SPDX-License-Identifier: Apache-2.0
#include "stats/render.h"

#include <cstdio>
#include <cstring>

namespace pool {

// ---- TextOut ----

void TextOut::add(const char *text, size_t length) {
    while (length != 0) {
        if (used_ == sizeof buffer_)
            flush();
        size_t room = sizeof buffer_ - used_;
        size_t piece = length < room ? length : room;
        memcpy(buffer_ + used_, text, piece);
        used_ += piece;
        text += piece;
        length -= piece;
    }
}

void TextOut::add(const char *text) {
    add(text, strlen(text));
}

void TextOut::add_number(uint64_t number) {
    char digits[24];
    add(digits, static_cast<size_t>(snprintf(digits, sizeof digits, "%llu",
                                             static_cast<unsigned long long>(number))));
}

void TextOut::add_value(const Field &field, int64_t value) {
    if (field.kind == FieldKind::kSignedGauge && value < 0) {
        add('-');
        add_number(uint64_t{0} - static_cast<uint64_t>(value));
    } else {
        add_number(static_cast<uint64_t>(value));
    }
}

void TextOut::flush() {
    size_t length = used_;
    used_ = 0;
    if (length != 0)
        write_(buffer_, length, ctx_);
}

namespace {

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
            out.add_value(area.fields[i], pool.value(area.fields[i]));
        }
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
            out.add_value(area.fields[i], pool.value(area.fields[i]));
        }
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

void add_label_value(TextOut &out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            out.add('\\');
        if (*text == '\n')
            out.add("\\n");
        else
            out.add(*text);
    }
}

void add_sample(TextOut &out, const AreaFields &area, const Field &field, const PoolRecord &pool) {
    add_metric_name(out, area, field);
    out.add("{pool=\"");
    add_label_value(out, pool.name);
    out.add("\",id=\"");
    out.add_number(pool.id);
    out.add("\"} ");
    int64_t value = pool.value(field);
    if (field.kind == FieldKind::kTime) {
        char seconds[40];
        snprintf(seconds, sizeof seconds, "%lld.%09lld", static_cast<long long>(value / 1000000000),
                 static_cast<long long>(value % 1000000000));
        out.add(seconds);
    } else {
        out.add_value(field, value);
    }
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
