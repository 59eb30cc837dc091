// handoff: one thread takes objects, another gives them back; a ring carries them across. Time is
// per object, the ring's share included.
// handoff_used: the same, and each object is written by the one and read by the other, so its own
// cache line travels too, at the same price for every peer.
//
// SPDX-License-Identifier: Apache-2.0
//
// "ring" is what the ring costs alone, with the word written and read in objects that are never
// given back, or without.
#include "objects/scenarios.h"
#include "objects/subjects.h"
#include "support/distance.h"
#include "support/ring.h"
#include "support/rows.h"
#include "support/team.h"

#include <array>
#include <memory>

namespace bench {
namespace {

constexpr uint64_t kObjects = 500'000;

using Objects = Ring<void *, 1024>;

template <class Subject>
void produce(Objects &ring, typename Subject::Handle handle) {
    for (uint64_t i = 0; i < kObjects; ++i) {
        void *object = Subject::get(handle);
        if constexpr (Subject::kTouch)
            *static_cast<uint64_t *>(object) = i;
        Backoff backoff;
        while (!ring.push(object))
            backoff.pause();
    }
}

// The sum of the words.
template <class Subject>
uint64_t consume(Objects &ring, typename Subject::Handle handle) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < kObjects; ++i) {
        Backoff backoff;
        void *object;
        while (!ring.pop(object))
            backoff.pause();
        sum += Subject::kTouch ? *static_cast<uint64_t *>(object) : i;
        Subject::put(handle, object);
    }
    return sum;
}

template <class Base, bool kUsed>
struct Traveller : Base {
    static constexpr bool kTouch = kUsed;
};

// Objects from an array, which is large enough for none to be on its way twice.
template <bool touch>
class RingOnly {
public:
    struct State {
        struct alignas(64) Object {
            uint64_t word;
        };
        std::array<Object, 2 * Objects::kCapacity> objects;
        size_t next = 0; // producer's
    };
    using Handle = State *;
    static constexpr bool kTouch = touch;

    static const char *problem() { return nullptr; }
    Handle handle() const { return state_.get(); }
    static void *get(Handle state) {
        return &state->objects[state->next++ % (2 * Objects::kCapacity)];
    }
    static void put(Handle, void *) {}
    static void leave() {}

private:
    std::unique_ptr<State> state_ = std::make_unique<State>();
};

// Two threads at work together, and how far apart their CPUs were.
struct Duet {
    double seconds;
    double distance_before;
    double distance_after;
};

template <class First, class Second>
Duet play(const First &first, const Second &second, void (*leave)()) {
    Duet duet{};
    Distance before;
    Distance after;
    Rendezvous start(2);
    Rendezvous finish(2);
    std::array<Clock::time_point, 2> ends;
    run_team(
        2,
        [&](unsigned side) {
            const double distance_before = before.measure(side);
            start.arrive_and_wait();
            if (side == 0)
                first();
            else
                second();
            ends[side] = Clock::now();
            finish.arrive_and_wait();
            const double distance_after = after.measure(side);
            if (side == 0) {
                duet.distance_before = distance_before;
                duet.distance_after = distance_after;
            }
        },
        leave);
    const Clock::duration time = std::max(ends[0], ends[1]) - start.opened_at();
    duet.seconds = std::chrono::duration<double>(time).count();
    return duet;
}

template <class Subject>
void handoff(benchmark::State &state) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto ring = std::make_unique<Objects>();
        const auto handle = subject.handle();
        uint64_t sum = 0;
        const Duet duet = play([&] { produce<Subject>(*ring, handle); },
                               [&] { sum = consume<Subject>(*ring, handle); }, Subject::leave);
        if (sum != kObjects * (kObjects - 1) / 2) {
            state.SkipWithError("an object was handed to two holders");
            return;
        }
        state.SetIterationTime(duet.seconds / static_cast<double>(kObjects));
        state.counters["distance_before"] = duet.distance_before;
        state.counters["distance_after"] = duet.distance_after;
        if constexpr (requires { subject.stats(); })
            state.counters["created"] = static_cast<double>(subject.stats().created);
    }
}

template <bool kUsed>
void register_rows(const std::string &scenario) {
    add_row(scenario + "/pool", handoff<Traveller<Pool, kUsed>>);
    add_row(scenario + "/pool_prefilled", handoff<Traveller<PoolPrefilled, kUsed>>);
    add_row(scenario + "/pool_fallback", handoff<Traveller<PoolFallback, kUsed>>);
    add_row(scenario + "/thread_local", handoff<Traveller<ThreadLocal, kUsed>>);
    add_row(scenario + "/mutex_vector", handoff<Traveller<MutexVector, kUsed>>);
    add_row(scenario + "/malloc", handoff<Traveller<Malloc, kUsed>>);
    add_row(scenario + "/ring", handoff<RingOnly<kUsed>>);
}

} // namespace

void register_handoff() {
    register_rows<false>("handoff");
    register_rows<true>("handoff_used");
}

} // namespace bench
