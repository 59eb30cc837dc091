// hadoop, rpc: eight threads in a circle, each of which takes buffers of recorded sizes, marks them,
// hands them on to the next thread, and gives back those that it was handed. Time is per buffer, the
// rings' share included; "rings" is what they cost alone.
// hadoop_memory: the same with fewer buffers on their way, of which every page is written. Counter
// "rss": how much larger the process became at most.
//
// SPDX-License-Identifier: Apache-2.0
//
// Memory is meaningful for one row per process only: run.py starts one for each.
#include "buffers/scenarios.h"
#include "buffers/sizes.h"
#include "buffers/subjects.h"
#include "support/memory.h"
#include "support/ring.h"
#include "support/rows.h"
#include "support/team.h"

#include <memory>

namespace bench {
namespace {

constexpr unsigned kThreads = 8;
constexpr size_t kPage = 4096;

// With room for `room` buffers between two threads.
template <class Subject, size_t room, bool kWritesPages>
class Station {
public:
    using Way = Ring<pool_buffer, room>;

    Station(typename Subject::Handle handle, const std::vector<uint32_t> &sizes, size_t first,
            size_t count, Way &in, Way &out)
        : handle_(handle), sizes_(sizes), next_(first), to_send_(count), to_receive_(count),
          in_(in), out_(out) {}

    // False: a buffer's contents were not those of its size.
    bool run() {
        bool good = true;
        while (to_send_ > 0 || to_receive_ > 0) {
            size_t done = send();
            done += receive(good);
            if (done == 0)
                sched_yield();
        }
        return good;
    }

private:
    size_t send() {
        size_t sent = 0;
        for (; sent < room / 2 && to_send_ > 0 && out_.has_room(); ++sent, --to_send_) {
            const size_t size = sizes_[next_];
            next_ = next_ + 1 == sizes_.size() ? 0 : next_ + 1;
            const pool_buffer buffer = Subject::get(handle_, size);
            auto *bytes = static_cast<volatile unsigned char *>(buffer.data);
            for (size_t at = 0; at < (kWritesPages ? size : 1); at += kPage)
                bytes[at] = mark(buffer);
            out_.push(buffer);
        }
        return sent;
    }

    size_t receive(bool &good) {
        size_t received = 0;
        pool_buffer buffer;
        for (; received < room / 2 && in_.pop(buffer); ++received, --to_receive_) {
            good &= *static_cast<volatile unsigned char *>(buffer.data) == mark(buffer);
            Subject::put(handle_, buffer);
        }
        return received;
    }

    static unsigned char mark(pool_buffer buffer) {
        return static_cast<unsigned char>(buffer.capacity >> 4);
    }

    const typename Subject::Handle handle_;
    const std::vector<uint32_t> &sizes_;
    size_t next_, to_send_, to_receive_;
    Way &in_, &out_;
};

// The same buffer for all, of which only the first byte exists.
struct Rings {
    using Handle = char *;

    static const char *problem() { return nullptr; }
    static Handle handle() {
        static char byte;
        return &byte;
    }
    static pool_buffer get(Handle byte, size_t) { return {byte, 16}; }
    static void put(Handle, pool_buffer) {}
};

template <class Subject, size_t room, bool kWritesPages>
void recorded(benchmark::State &state, Distribution distribution, size_t buffers) {
    for (auto _ : state) {
        const std::vector<uint32_t> drawn = sizes(distribution, 1 << 16);
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        using Worker = Station<Subject, room, kWritesPages>;
        const auto ways = std::make_unique<typename Worker::Way[]>(kThreads);
        std::atomic<bool> good{true};
        const size_t before = resident_bytes();
        const double seconds = run_team(
            kThreads,
            [&](unsigned i) {
                Worker station(subject.handle(), drawn, i * drawn.size() / kThreads,
                               buffers / kThreads, ways[i], ways[(i + 1) % kThreads]);
                if (!station.run())
                    good = false;
            },
            nothing);
        if (!good) {
            state.SkipWithError("a buffer was handed to two holders");
            return;
        }
        if constexpr (kWritesPages)
            state.counters["rss"] = static_cast<double>(peak_resident_bytes() - before);
        state.SetIterationTime(seconds / static_cast<double>(buffers));
    }
}

} // namespace

void register_recorded() {
    constexpr auto kRpcs = Distribution::kGoogleRpcs;
    constexpr auto kHadoop = Distribution::kFacebookHadoop;
    add_row("hadoop/pool", recorded<Pool, 256, false>, kHadoop, 1'000'000);
    add_row("hadoop/malloc", recorded<Malloc, 256, false>, kHadoop, 1'000'000);
    add_row("hadoop/rings", recorded<Rings, 256, false>, kHadoop, 1'000'000);
    add_row("rpc/pool", recorded<Pool, 1024, false>, kRpcs, 4'000'000);
    add_row("rpc/malloc", recorded<Malloc, 1024, false>, kRpcs, 4'000'000);
    add_row("rpc/rings", recorded<Rings, 1024, false>, kRpcs, 4'000'000);
    add_row("hadoop_memory/pool", recorded<Pool, 64, true>, kHadoop, 400'000);
    add_row("hadoop_memory/malloc", recorded<Malloc, 64, true>, kHadoop, 400'000);
}

} // namespace bench
