// SPDX-License-Identifier: Apache-2.0
#include "buffers/calibration.h"

#include <new>

namespace pool {
namespace {

constexpr uint64_t kOne = 1u << 16; // an observation's weight when it is new

} // namespace

Calibration *Calibration::make(Memory &memory) {
    static_assert(SizeClasses::step_of(64) == kFirstStep);
    static_assert(SizeClasses::step_of(uint64_t{1} << 30) == kFirstStep + kSizes - 2);
    static_assert(alignof(Counts) == alignof(Calibration));
    uint32_t cpus = possible_cpus();
    void *block = memory.alloc(bytes(cpus), alignof(Counts));
    if (block == nullptr)
        return nullptr;
    auto *made = new (block) Calibration(cpus);
    for (uint32_t i = 0; i < cpus; i++)
        new (&made->counts()[i]) Counts;
    return made;
}

void Calibration::destroy(Calibration *calibration, Memory &memory) {
    memory.free(calibration, bytes(calibration->cpus_), alignof(Counts));
}

uint64_t Calibration::total(uint32_t index) const {
    uint64_t sum = 0;
    for (uint32_t cpu = 0; cpu < cpus_; cpu++)
        sum += counts()[cpu].sizes[index].load(std::memory_order_relaxed);
    return sum;
}

// The smallest size that covers `part` of `of` of the weights.
uint64_t Calibration::percentile(uint64_t sum, uint64_t part, uint64_t of) const {
    uint64_t covered = 0;
    uint32_t index = 0;
    while (index < kSizes - 1 && (covered += weights_[index]) * of < sum * part)
        index++;
    return size_at(index);
}

// Under the lock.
void Calibration::set_default(uint64_t size) {
    if (size == default_size())
        return;
    default_.store(size, std::memory_order_relaxed);
    table_.store(nullptr, std::memory_order_relaxed);
}

void Calibration::set_default_table(uint64_t size, SlabTable *table) {
    SpinLock::Guard guard(lock_);
    if (size == default_size())
        table_.store(table, std::memory_order_release);
}

void Calibration::learn(uint64_t least) {
    if (!lock_.try_lock())
        return; // somebody does
    uint64_t fresh[kSizes];
    uint64_t news = 0;
    for (uint32_t i = 0; i < kSizes; i++) {
        // A count that was undone by another thread may make the sum smaller than it was.
        uint64_t now = total(i);
        fresh[i] = now > seen_[i] ? now - seen_[i] : 0;
        news += fresh[i];
    }
    if (!frozen_ && news >= least) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < kSizes; i++) {
            seen_[i] += fresh[i];
            weights_[i] = weights_[i] / 2 + fresh[i] * kOne;
            sum += weights_[i];
        }
        samples_.fetch_add(news, std::memory_order_relaxed);
        set_default(percentile(sum, 90, 100));
        max_.store(2 * percentile(sum, 99, 100), std::memory_order_relaxed);
        uint64_t mask = mask_.load(std::memory_order_relaxed);
        if (mask < kLongestPeriod - 1)
            mask_.store(2 * mask + 1, std::memory_order_relaxed);
    }
    lock_.unlock();
}

void Calibration::get(pool_buffers_calibration &values) {
    SpinLock::Guard guard(lock_);
    values.default_size = default_size();
    values.max_size = max_size();
    values.samples = samples_.load(std::memory_order_relaxed);
    values.frozen = frozen_ ? 1 : 0;
}

void Calibration::set(const pool_buffers_calibration &values) {
    SpinLock::Guard guard(lock_);
    set_default(values.default_size);
    max_.store(values.max_size, std::memory_order_relaxed);
    frozen_ = values.frozen != 0;
}

void Calibration::add_to(uint64_t *to, size_t n) const {
    for (uint32_t i = 0; i < kSizes; i++) {
        auto power = static_cast<size_t>(std::bit_width(size_at(i) - 1));
        to[power < n ? power : n - 1] += total(i);
    }
}

} // namespace pool
