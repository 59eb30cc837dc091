// Who owns a slab: its CPU, or whoever holds the lock. The states are drawn in shard.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/membarrier.h"
#include "shards/shards.h"

namespace pool {
namespace {

constexpr uint32_t kLongestShared = 1u << 12; // uses: half a nanosecond of fence for each

} // namespace

// Take the slab away from its CPU. The lock must not be held. Unless the kernel refuses the fence,
// the bias was kShared at some moment of the call.
//
// Why one fence suffices: the entry is closed before it, in the order that the lock and the system
// call give. A sequence that read the entry earlier has ended when the fence returns; one that
// starts later reads the closed slab and fails. The same fence makes the last commit visible here.
Shards::Revoked Shards::revoke(Shard *shard) {
    uint32_t revocation;
    {
        SpinLock::Guard guard(shard->lock);
        if (shard->bias == Bias::kShared)
            return Revoked::kWasShared;
        if (shard->bias == Bias::kBiased)
            close(shard);
        // If another thread is revoking it already, this thread's fence serves as well as its own.
        revocation = shard->revocations;
    }
    fences_.fetch_add(1, std::memory_order_relaxed);
    bool fenced = fence_sequences();
    SpinLock::Guard guard(shard->lock);
    if (shard->bias != Bias::kRevoking || shard->revocations != revocation)
        return Revoked::kWasShared;
    if (!fenced) {
        if (!stopped_.load(std::memory_order_relaxed))
            bias_to_cpu(shard);
        return Revoked::kRefused;
    }
    shard->bias = Bias::kShared;
    shard->local_uses = 0;
    if (shard->rebias_after < kLongestShared)
        shard->rebias_after *= 2;
    return Revoked::kNow;
}

// Under the lock: no sequence starts on the slab from now on; those under way end with the next
// fence.
void Shards::close(Shard *shard) {
    shard->bias = Bias::kRevoking;
    shard->revocations++;
    table_.entry(shard->id).store(&closed_slab, std::memory_order_relaxed);
}

// Under the lock: undo a revocation that was not for another CPU's sake.
void Shards::restore_bias(Shard *shard) {
    if (shard->bias != Bias::kShared || stopped_.load(std::memory_order_relaxed))
        return;
    if (shard->rebias_after > kShortestShared)
        shard->rebias_after /= 2;
    bias_to_cpu(shard);
}

// Give the slab to its CPU. Under the lock, or before the shard can be found. The release orders
// all that was done to the slab before the entry by which sequences reach it; they read the slab
// through the entry, a dependent load, which every architecture with sequences keeps in order.
void Shards::bias_to_cpu(Shard *shard) {
    shard->bias = Bias::kBiased;
    shard->local_uses = 0;
    table_.entry(shard->id).store(&shard->slab, std::memory_order_release);
}

// Under the lock: its own CPU has used the slab often enough.
void Shards::rebias(Shard *home) {
    if (home->bias == Bias::kShared && home->id < table_.size &&
        !stopped_.load(std::memory_order_relaxed))
        bias_to_cpu(home);
}

// The home shard, locked, if its slab is shared. Not of a stopped bag: a put on one from inside a
// callback must see that before it puts anything down.
Shard *Shards::lock_shared() {
    Shard *home = find_shard(home_id());
    if (home == nullptr || stopped_.load(std::memory_order_relaxed) || !home->lock.try_lock())
        return nullptr;
    if (home->bias == Bias::kShared)
        return home;
    home->lock.unlock();
    return nullptr;
}

template <bool kTicking>
bool Shards::get_shared(void **object) {
    Shard *home = direct_ != Direct::kNone ? lock_shared() : nullptr;
    if (home == nullptr)
        return false;
    bool found = !(kTicking && Slab::ticks(home->word())) &&
                 home->slab_pop_n(&table_, object, 1, kPopped) == 1;
    if (found)
        note_local_use(home);
    home->lock.unlock();
    return found;
}

template bool Shards::get_shared<false>(void **object);
template bool Shards::get_shared<true>(void **object);

bool Shards::put_shared(void *object) {
    Shard *home = direct_ == Direct::kAll ? lock_shared() : nullptr;
    if (home == nullptr)
        return false;
    bool kept = home->slab_push_n(&table_, &object, 1, 0).count == 1;
    if (kept)
        note_local_use(home);
    home->lock.unlock();
    return kept;
}

} // namespace pool
