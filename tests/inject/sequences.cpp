// The four sequences by themselves, interrupted at every point by every kind of harm.
//
// SPDX-License-Identifier: Apache-2.0
//
// A point traps; the handler does something to the slabs that another thread, or a signal handler
// of the user, might have done at that moment. The kernel then starts the sequence again, and its
// result must be that of a sequence that ran after the harm. Where the kernel knows nothing of
// sequences, under an emulator, the handler does the kernel's part. No test framework: this is
// built for foreign processors too.
#include "platform/sequences.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sched.h>
#include <ucontext.h>
#include <vector>

#if !defined(__aarch64__)
#include "platform/cpu.h"
#endif

extern "C" {
__attribute__((visibility("hidden"))) int pool_inject_point = 0;
}

namespace {

using namespace pool;

constexpr int kPoints = 9;
constexpr uint32_t kIds = 4096;
constexpr uintptr_t kFirst = 1000; // objects are numbers
constexpr uint64_t kPops = 5;      // of each slab at first: no tick

enum class Harm { kNone, kYield, kMigrate, kTake, kGive, kClose, kHarms };
const char *const kHarmNames[] = {"none", "yield", "migrate", "take", "give", "close"};

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("line %d: %s; operation %s, point %d, harm %s\n", __LINE__, #condition,         \
                   operation, armed_point, kHarmNames[static_cast<int>(armed_harm)]);              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

const char *operation = "";
int armed_point = 0;
Harm armed_harm = Harm::kNone;
int traps = 0;

// A slab for every id, all of them with the same objects to begin with would be told apart too
// late: each id has a range of numbers of its own.
struct World {
    SlabTable *table;
    std::vector<Slab> slabs;
    void *taken = nullptr; // by the handler
    bool given = false;

    World() : slabs(kIds) {
        void *memory = aligned_alloc(64, sizeof(SlabTable) + kIds * sizeof(void *));
        table = new (memory) SlabTable;
        for (uint32_t id = 0; id < kIds; id++)
            new (&table->entry(id)) std::atomic<Slab *>(&slabs[id]);
    }
    ~World() { free(table); }

    void fill(uint32_t count, uint32_t capacity) {
        taken = nullptr;
        given = false;
        for (uint32_t id = 0; id < kIds; id++) {
            for (uint32_t i = 0; i < count; i++)
                slabs[id].slots[i] = reinterpret_cast<void *>(kFirst * (id + 1) + i);
            slabs[id].word = kPops << 16 | uint64_t{capacity} << 8 | count;
            table->entry(id) = &slabs[id];
        }
    }
    uint64_t pops() const {
        uint64_t sum = 0;
        for (const Slab &slab : slabs)
            sum += Slab::pops_of(slab.word) - kPops;
        return sum;
    }
    // Every object that is in a slab or was taken, in order; a double would stand beside itself.
    std::vector<void *> inventory(const std::vector<void *> &held) const {
        std::vector<void *> all = held;
        for (const Slab &slab : slabs)
            all.insert(all.end(), slab.slots, slab.slots + Slab::count_of(slab.word));
        if (taken != nullptr)
            all.push_back(taken);
        std::sort(all.begin(), all.end());
        return all;
    }
};

World *world;
void *const kGiven = reinterpret_cast<void *>(7);
void *const kPut = reinterpret_cast<void *>(8);

// ---- the kernel's part ----

#if defined(__aarch64__)
// What sequences see as struct rseq.
struct alignas(32) Area {
    uint32_t cpu_id_start = 0, cpu_id = 0;
    uint64_t descriptor = 0;
    uint32_t flags = 0, node_id = 0, mm_cid = 0;
};
thread_local Area fake_area;

struct alignas(32) Descriptor {
    uint32_t version, flags;
    uint64_t start, length, abort;
};

void restart(ucontext_t *context) {
    auto *descriptor = reinterpret_cast<Descriptor *>(fake_area.descriptor);
    CHECK(descriptor != nullptr && descriptor->version == 0 && descriptor->flags == 0);
    CHECK(reinterpret_cast<uintptr_t>(descriptor) % 32 == 0);
    uint32_t signature;
    memcpy(&signature, reinterpret_cast<void *>(descriptor->abort - 4), sizeof signature);
    CHECK(signature == 0xd428bc00);
    auto &pc = context->uc_mcontext.pc;
    CHECK(pc - descriptor->start < descriptor->length);
    fake_area.descriptor = 0;
    pc = descriptor->abort;
}

bool prepare(SlabTable *table) {
    auto thread = reinterpret_cast<intptr_t>(__builtin_thread_pointer());
    table->area_offset = reinterpret_cast<intptr_t>(&fake_area) - thread;
    table->put_area_offset = table->area_offset;
    table->id_offset = reinterpret_cast<intptr_t>(&fake_area.mm_cid) - thread;
    return true;
}

void migrate() {
    fake_area.mm_cid ^= 1;
}
#else
void restart(ucontext_t *) {}

bool prepare(SlabTable *table) {
    const SequenceSupport &support = sequence_support();
    if (!support.available)
        printf("skipped: %s\n", support.reason);
    table->area_offset = table->put_area_offset = support.area_offset;
    table->id_offset = support.id_offset;
    return support.available;
}

void migrate() {
    static cpu_set_t all;
    static bool once = sched_getaffinity(0, sizeof all, &all) == 0;
    (void)once;
    auto now = static_cast<unsigned>(sched_getcpu());
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all) || cpu == now)
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}
#endif

void on_trap(int, siginfo_t *, void *context) {
    traps++;
    pool_inject_point = 0;
    restart(static_cast<ucontext_t *>(context));
    switch (armed_harm) {
    case Harm::kYield:
        sched_yield();
        break;
    case Harm::kMigrate:
        migrate();
        break;
    case Harm::kTake:
        sequences::pop(world->table, &world->taken);
        break;
    case Harm::kGive: {
        int32_t zero;
        world->given = sequences::push(world->table, kGiven, &zero);
        break;
    }
    case Harm::kClose:
        for (uint32_t id = 0; id < kIds; id++)
            world->table->entry(id) = &closed_slab;
        break;
    default:
        break;
    }
}

// ---- the operations ----

constexpr uint64_t kSize = 100; // that the table serves

struct Outcome {
    std::vector<void *> held; // that the operation took
    std::vector<void *> kept; // that it put
};

Outcome run(const char *name) {
    Outcome outcome;
    void *many[8];
    if (strcmp(name, "pop") == 0) {
        if (sequences::pop(world->table, &many[0]))
            outcome.held.push_back(many[0]);
    } else if (strcmp(name, "pop_sized") == 0) {
        if (sequences::pop_sized(world->table, kSize, &many[0]))
            outcome.held.push_back(many[0]);
    } else if (strcmp(name, "push") == 0 || strcmp(name, "push_sized") == 0) {
        int32_t zero = -1;
        if (strcmp(name, "push") == 0 ? sequences::push(world->table, kPut, &zero)
                                      : sequences::push_sized(world->table, kPut, kSize, &zero)) {
            CHECK(zero == 0);
            outcome.kept.push_back(kPut);
        }
    } else if (strcmp(name, "pop_n") == 0) {
        uint32_t n = sequences::pop_n(world->table, sequences::kAnyId, many, 5, kPopped);
        outcome.held.assign(many, many + n);
    } else {
        for (uintptr_t i = 0; i < 5; i++)
            many[i] = reinterpret_cast<void *>(i + 10);
        auto pushed = sequences::push_n(world->table, sequences::kAnyId, many, 5, 2);
        outcome.kept.assign(many, many + pushed.count);
    }
    return outcome;
}

// The number of objects that the operation should move for a slab that holds `count`.
size_t expected(const char *name, uint32_t count, uint32_t capacity) {
    if (armed_harm == Harm::kClose && traps != 0)
        return 0;
    if (strcmp(name, "pop") == 0 || strcmp(name, "pop_sized") == 0)
        return count > 0;
    if (strcmp(name, "push") == 0 || strcmp(name, "push_sized") == 0)
        return count < capacity;
    if (strcmp(name, "pop_n") == 0)
        return std::min<size_t>(count, 5);
    return std::min<size_t>(capacity + 2 - count, 5);
}

void check(const char *name, int point, Harm harm, uint32_t count, uint32_t capacity) {
    operation = name;
    armed_point = point;
    armed_harm = harm;
    traps = 0;
    world->fill(count, capacity);
    std::vector<void *> before = world->inventory({});
    pool_inject_point = point;
    Outcome outcome = run(name);
    pool_inject_point = 0;
    CHECK(traps <= 1);
    // A batch has all points, a single one fewer, and a full or empty slab is left early.
    if (point <= 4)
        CHECK(traps == 1);
    uint32_t now = count;
    if (traps == 1 && harm == Harm::kTake && count > 0) {
        CHECK(world->taken != nullptr);
        now--;
    }
    if (traps == 1 && harm == Harm::kGive && count < capacity) {
        CHECK(world->given);
        now++;
        before.push_back(kGiven);
    }
    CHECK(outcome.held.size() + outcome.kept.size() == expected(name, now, capacity));
    before.insert(before.end(), outcome.kept.begin(), outcome.kept.end());
    std::sort(before.begin(), before.end());
    CHECK(world->inventory(outcome.held) == before);
    CHECK(world->pops() == outcome.held.size() + (world->taken != nullptr ? 1 : 0));
}

void check_ticks() {
    operation = "a pop that ticks";
    void *object;
    for (uint64_t pops : {uint64_t{0}, kPopsPerTick, 7 * kPopsPerTick, uint64_t{1} << 47}) {
        world->fill(3, 8);
        for (Slab &slab : world->slabs)
            slab.word = pops << 16 | (slab.word & 0xffff);
        CHECK(Slab::ticks(pops << 16));
        CHECK(!sequences::pop_sized(world->table, kSize, &object));
        CHECK(sequences::pop(world->table, &object));
    }
}

void check_sizes() {
    operation = "a size that is not served";
    world->fill(3, 8);
    void *object;
    int32_t zero;
    CHECK(!sequences::pop_sized(world->table, kSize + 1, &object));
    for (uint64_t size : {kSize - 1, kSize + 1})
        CHECK(!sequences::push_sized(world->table, kPut, size, &zero));
    CHECK(sequences::pop_sized(world->table, 1, &object));
}

void check_foreign_id() {
    operation = "a batch for another id";
    world->fill(3, 8);
    void *many[3];
    CHECK(sequences::pop_n(world->table, kIds - 1, many, 3, kPopped) == 0);
    CHECK(sequences::push_n(world->table, kIds - 1, many, 3, 0).count == 0);
    operation = "a batch in a closed slab";
    for (uint32_t id = 0; id < kIds; id++)
        world->table->entry(id) = &closed_slab;
    CHECK(sequences::push_n(world->table, sequences::kAnyId, many, 3, 3).count == 0);
    CHECK(sequences::pop_n(world->table, sequences::kAnyId, many, 3, kPopped) == 0);
    CHECK(closed_slab.word == 0);
    operation = "a table without sequences";
    world->fill(3, 8);
    int64_t area = world->table->area_offset;
    world->table->area_offset = world->table->put_area_offset = 0;
    int32_t zero;
    CHECK(!sequences::pop(world->table, many) && !sequences::push(world->table, kPut, &zero));
    CHECK(!sequences::pop_sized(world->table, kSize, many) &&
          !sequences::push_sized(world->table, kPut, kSize, &zero));
    world->table->area_offset = world->table->put_area_offset = area;
}

} // namespace

int main() {
    World here;
    world = &here;
    if (!prepare(here.table))
        return 77;
    here.table->most = here.table->put_size = kSize;
    struct sigaction action = {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, nullptr);
    int cases = 0, interrupted = 0;
    const struct {
        uint32_t count, capacity;
    } kSlabs[] = {{0, 8}, {1, 8}, {4, 8}, {7, 8}, {8, 8}, {kSlabSlots - 1, kSlabSlots - 2 + 1}};
    for (const char *name : {"pop", "pop_sized", "push", "push_sized", "pop_n", "push_n"})
        for (int point = 0; point <= kPoints; point++)
            for (int harm = 0; harm < static_cast<int>(Harm::kHarms); harm++)
                for (auto slab : kSlabs) {
                    if (point == 0 && harm != 0)
                        continue;
                    if (slab.capacity > kSlabSlots - 2 && strcmp(name, "push_n") == 0)
                        continue; // room for less than it asks to grow
                    if (point == 0)
                        traps = 1; // nothing is armed
                    if (point != 0) {
                        check(name, point, static_cast<Harm>(harm), slab.count, slab.capacity);
                        interrupted += traps;
                    } else {
                        operation = name;
                        armed_harm = Harm::kNone;
                        armed_point = 0;
                        world->fill(slab.count, slab.capacity);
                        Outcome plain = run(name);
                        CHECK(plain.held.size() + plain.kept.size() ==
                              expected(name, slab.count, slab.capacity));
                    }
                    cases++;
                }
    check_foreign_id();
    check_ticks();
    check_sizes();
    printf("%d cases, %d interrupted\n", cases, interrupted);
    return interrupted > cases / 2 ? 0 : 1;
}
