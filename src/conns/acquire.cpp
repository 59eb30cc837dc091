// How a thread comes by a connection.
//
// SPDX-License-Identifier: Apache-2.0
//
// An acquire has one of three things in its hands whenever it lets the lock go: a connection, a
// place to dial, or a place in line. It hands on whatever it does not need in the end.
#include "conns/conns.h"

#include "conns/key_text.h"
#include "platform/clock.h"
#include "platform/status.h"

#include <cstring>
#include <new>

namespace pool {
namespace {

pool_status forked() {
    return fail(POOL_EFORKED, "a callback of this acquire forked, and this is the child");
}

// A number of this thread, unique among those that live.
uintptr_t this_thread() {
    return reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
}

} // namespace

// ---- the fast way ---------------------------------------------------------------------------

pool_status Conns::acquire(const void *bytes, size_t length, int64_t timeout,
                           pool_conns_lease **out) {
    const bool home = bytes == nullptr;
    const uint64_t hash = home ? home_hash_ : KeyTable::hash(bytes, length, seed_);
    Conn *taken = nullptr;
    Front::Table *table = front_.table();
    if (table != nullptr && !(strict_ && front_.attended(hash)))
        taken = Front::take(table, hash);
    if (taken != nullptr) {
        const int64_t now = clock_now_coarse();
        const bool wanted = home ? taken->key == home_ : taken->key->is(hash, bytes, length);
        if (wanted && now < taken->expires.load(std::memory_order_relaxed) &&
            now - taken->idle_since.load(std::memory_order_relaxed) <
                fresh_for_.load(std::memory_order_relaxed) &&
            now < taken->key->due.load(std::memory_order_relaxed) &&
            taken->generation.load(std::memory_order_relaxed) ==
                generation_.load(std::memory_order_acquire)) {
            *out = lend(taken, now);
            return POOL_OK;
        }
    }
    return acquire_slowly({bytes, length, home, timeout, nullptr, 0, false}, taken, out);
}

// The connection is the caller's. Orders are relaxed: others only add these fields up, and a lease
// reaches another thread by ways of the user's.
pool_conns_lease *Conns::lend(Conn *conn, int64_t now) {
    // An exact look at the clock costs as much as all else here, so there is one for each tick of the
    // coarse clock: some 250 a second.
    const bool sampled = sampled_at_.load(std::memory_order_relaxed) != now;
    if (sampled)
        sampled_at_.store(now, std::memory_order_relaxed);
    conn->lent_at.store(sampled ? clock_now() : now, std::memory_order_relaxed);
    conn->uses.store(conn->uses.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    conn->holder.store(this_thread() | (sampled ? kSampled : 0), std::memory_order_relaxed);
    const uint32_t word = conn->word.load(std::memory_order_relaxed) + 1;
    conn->word.store(word, std::memory_order_release);
    return lease_of(conn, word);
}

// ---- the slow way ---------------------------------------------------------------------------

pool_status Conns::acquire(const Wanted &wanted, pool_conns_lease **out) {
    return acquire_slowly(wanted, nullptr, out);
}

pool_status Conns::acquire_slowly(const Wanted &wanted, Conn *taken, pool_conns_lease **out) {
    const int64_t begun = clock_now();
    const int64_t deadline = deadline_after(wanted.timeout);
    const bool may_wait = wanted.timeout != 0;
    bool waited = false;
    if (taken != nullptr && !is_of(taken, wanted, hash(wanted))) {
        put_aside(taken); // of a key that uses the same slot
        taken = nullptr;
    }
    Surplus surplus(memory_);
    Turn turn(mutex_, this);
    say_goodbye_to_abandoned(turn);
    const unsigned forks = forks_;
    Key *key = taken != nullptr ? taken->key : find(wanted);
    if (taken != nullptr)
        taken->state = ConnState::kHeld;
    if (key == nullptr && may_wait && !closed_)
        if (pool_status status = find_key(turn, wanted, &surplus, &key))
            return status;

    ConnList doomed;
    while (key != nullptr && (!closed_ || taken != nullptr)) {
        // Either a connection or, with it still nullptr, a place to dial one.
        const int64_t now = clock_now();
        expire(key, now, &doomed);
        Conn *conn = taken;
        taken = nullptr;
        if (conn == nullptr) {
            const bool queue = must_queue(key, now);
            if (!queue && !wanted.fresh)
                conn = take_idle(key);
            if (conn == nullptr && may_wait) {
                const bool own_dial = !queue && !has_dialers();
                Conn *unfit = doomed.front();
                if (own_dial && unfit != nullptr && may_dial_now(key, now)) {
                    take_over(unfit, key);
                } else if (!own_dial || !take_place(key, now, wanted.fresh, &doomed)) {
                    if (!doomed.empty()) {
                        key->pins++;
                        retire(turn, &doomed);
                        if (forks_ != forks)
                            return forked();
                        key->pins--;
                        continue;
                    }
                    waited = true;
                    if (pool_status status =
                            wait_in_line(turn, key, wanted, deadline, &doomed, &conn))
                        return status;
                }
            }
        }
        const bool fresh = conn == nullptr;
        if (fresh && !may_wait) {
            key->pins++;
            retire(turn, &doomed);
            if (forks_ != forks)
                return forked();
            key->pins--;
            break;
        }
        retire(turn, &doomed);
        if (forks_ != forks)
            return forked();
        if (fresh)
            if (pool_status status = dial(turn, key, deadline, &conn))
                return status;
        turn.unlock();
        pool_conns_reason reason = examine(conn, deadline, fresh);
        if (wanted.taker != nullptr)
            make_room_for_taker(conn);
        turn.lock();
        if (forks_ != forks)
            return forked();
        if (reason == 0)
            reason = unwanted(conn);
        if (reason == 0) {
            const bool unused = conn->uses.load(std::memory_order_relaxed) == 0;
            if (fresh || (waited && unused)) // dialed for this acquire, if not by it
                fresh_lends_++;
            if (fresh || waited) {
                counters_.empty_acquires++;
                counters_.empty_time += static_cast<uint64_t>(clock_now() - begun);
            }
            if (key == home_ && now_.min_idle != 0)
                crew_.poke(turn);
            conn->state = ConnState::kOut;
            *out = lend(conn, clock_now_coarse());
            if (wanted.taker != nullptr)
                name_taker(conn, wanted.taker);
            return POOL_OK;
        }
        const bool new_one = conn->uses.load(std::memory_order_relaxed) == 0;
        doom(conn, reason, &doomed);
        if (new_one && reason == kRefused) {
            retire(turn, &doomed);
            return refused_new(); // the next one would fare no better
        }
    }
    if (key != nullptr)
        forget_if_unused(key);
    const bool closed = closed_;
    retire(turn, &doomed);
    if (closed)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    return fail(POOL_EAGAIN, "pool '%s': no connection is idle, and the timeout is 0", name_);
}

pool_status Conns::refused_new() {
    return fail(POOL_EBAD, "pool '%s': a new connection is not good enough to be lent", name_);
}

// Does a newcomer have to stand in line, although there may be something idle?
bool Conns::must_queue(Key *key, int64_t now) {
    if (key->line.empty() || options_.handoff == POOL_CONNS_FREE)
        return false;
    const ConnWaiter *first = key->line.first();
    return strict_ || now - first->since >= kPatience;
}

// Before it is lent, without the lock. Without memory the lease has no name.
void Conns::make_room_for_taker(Conn *conn) {
    if (conn->taker.load(std::memory_order_relaxed) != nullptr)
        return;
    char *taker = static_cast<char *>(memory_.alloc(kTakerBytes, alignof(void *)));
    if (taker == nullptr)
        return;
    memset(taker, 0, kTakerBytes);
    conn->taker.store(taker, std::memory_order_release);
}

void Conns::name_taker(Conn *conn, const char *name) {
    char *taker = conn->taker.load(std::memory_order_relaxed);
    if (taker == nullptr)
        return;
    // A report may read it meanwhile: the mark comes last, and is looked for first.
    size_t length = strnlen(name, kTakerBytes - 1);
    for (size_t i = 0; i < length; i++)
        __atomic_store_n(taker + i, name[i], __ATOMIC_RELAXED);
    __atomic_store_n(taker + length, '\0', __ATOMIC_RELAXED);
    conn->holder.fetch_or(kNamed, std::memory_order_release);
}

// "" for a lease without a name.
void Conns::copy_taker(const Conn *conn, char (&to)[kTakerBytes]) {
    const bool named = (conn->holder.load(std::memory_order_acquire) & kNamed) != 0;
    const char *taker = conn->taker.load(std::memory_order_acquire);
    for (size_t i = 0; i < kTakerBytes; i++)
        to[i] = named && taker != nullptr ? __atomic_load_n(taker + i, __ATOMIC_RELAXED) : '\0';
    to[kTakerBytes - 1] = '\0';
}

// ---- keys -----------------------------------------------------------------------------------

uint64_t Conns::hash(const Wanted &wanted) const {
    return wanted.home ? home_hash_ : KeyTable::hash(wanted.bytes, wanted.length, seed_);
}

bool Conns::is_of(const Conn *conn, const Wanted &wanted, uint64_t hash) const {
    return wanted.home ? conn->key == home_ : conn->key->is(hash, wanted.bytes, wanted.length);
}

Key *Conns::find(const Wanted &wanted) const {
    return wanted.home ? home_ : keys_.find(hash(wanted), wanted.bytes, wanted.length);
}

// The caller has looked and not found it: make it, unless another thread does so meanwhile. A good
// moment also to give the front a larger table.
pool_status Conns::find_key(Turn &turn, const Wanted &wanted, Surplus *surplus, Key **found) {
    const uint64_t key_hash = hash(wanted);
    const size_t buckets_wanted = keys_.wants();
    const uint64_t slots_for = keys_.size() + 1;
    const bool grow = front_.too_small_for(slots_for, front_most());
    const uint64_t most = front_most();
    if (buckets_wanted != 0)
        forget_old_failures(clock_now());
    free_forgotten(turn);
    turn.unlock();
    const size_t bytes = Key::size_for(wanted.length);
    void *memory = memory_.alloc(bytes, alignof(Key));
    if (memory == nullptr)
        return fail(POOL_ENOMEM, "pool '%s': no memory for a key", name_);
    Key *key = new (memory) Key(this, key_hash, wanted.bytes, wanted.length);
    KeyTable::Buckets buckets; // it can do without
    if (buckets_wanted != 0) {
        size_t size = buckets_wanted * sizeof(Key *);
        buckets = {static_cast<Key **>(memory_.alloc(size, alignof(Key *))), buckets_wanted};
        if (buckets.array != nullptr)
            memset(static_cast<void *>(buckets.array), 0, size);
    }
    Front::Table *table = grow ? Front::make(memory_, slots_for, most) : nullptr;
    turn.lock();
    surplus->buckets = buckets;
    if (buckets.array != nullptr && keys_.wants() == buckets_wanted)
        surplus->buckets = keys_.adopt(buckets);
    surplus->table = table;
    if (table != nullptr && front_.too_small_for(slots_for, most)) {
        front_.use(table);
        surplus->table = nullptr;
        gather_all();
    }
    *found = keys_.find(key_hash, wanted.bytes, wanted.length);
    if (*found != nullptr) {
        surplus->key = key;
    } else {
        keys_.insert(key);
        *found = key;
        tend_front();
    }
    return POOL_OK;
}

Conns::Surplus::~Surplus() {
    if (key != nullptr) {
        size_t bytes = Key::size_for(key->length);
        key->~Key();
        memory.free(key, bytes, alignof(Key));
    }
    if (buckets.array != nullptr)
        memory.free(buckets.array, buckets.count * sizeof(Key *), alignof(Key *));
    if (table != nullptr)
        memory.free(table, table->bytes(), Front::kAlignment);
}

} // namespace pool
