// Sleeping on a word that belongs to more than one thread.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace pool {

// Until the word is no longer `expected`, or woken, or the deadline has passed, or for no reason at
// all. POOL_FOREVER: no deadline. No cancellation point: a thread that is to be cancelled does not
// leave a pool's function half done.
void futex_wait(const std::atomic<uint32_t> &word, uint32_t expected, int64_t deadline);

// One of those who sleep on the word at this address, whatever there is by now.
void futex_wake_one(const std::atomic<uint32_t> *word);

// Everybody who sleeps on the word at this address, whatever there is by now.
void futex_wake_all(const std::atomic<uint32_t> *word);

} // namespace pool
