// SizeMap: from a size to the slab table of its class, in a few instructions.
//
// SPDX-License-Identifier: Apache-2.0
//
// Three arrays of cells: of 16 bytes up to 2 KiB, of 512 bytes up to 256 KiB, and of 64 KiB. The
// geometric classes grow by a quarter of a power of two, so where an array begins they are as far
// apart as its cells are wide, and none begins inside of a cell. In other schemes one may; the cell
// then leads to the smallest of its classes, and what that one does not hold is left to the slow
// path, as is what is beyond the last array.
//
// Finding the highest bit of the size would need one array only, but takes longer, and the address
// of everything else that a get and a put touch waits for this.
//
// A cell without a class, or whose class was not used yet, leads to a table that is closed for ever.
#pragma once

#include "buffers/size_classes.h"
#include "platform/slab_layout.h"

#include <atomic>
#include <bit>
#include <cstdint>

namespace pool {

class SizeMap {
public:
    SizeMap() { clear(); }

    // Never nullptr. A size of 0 is too large.
    SlabTable *find(uint64_t size) const {
        uint64_t below =
            size - 1; // the order of the tests, and what is first after them, is measured
        if (__builtin_expect(below >= kMediumCells << kMedium, 0)) {
            if (below >= kCoarseCells << kCoarse)
                return &closed_table;
            return coarse_[below >> kCoarse].load(std::memory_order_acquire);
        }
        if (__builtin_expect(below < kFineCells << kFine, 0))
            return fine_[below >> kFine].load(std::memory_order_acquire);
        return medium_[below >> kMedium].load(std::memory_order_acquire);
    }

    // Does the table belong to a class?
    static bool is_open(const SlabTable *table) { return table != &closed_table; }

    // Lead every cell whose smallest size class `index` serves to `table`.
    void publish(const SizeClasses &sizes, uint32_t index, SlabTable *table) {
        auto publish_in = [&](std::atomic<SlabTable *> *cells, uint64_t count, uint32_t shift) {
            for (uint64_t cell = 0; cell < count; cell++) {
                uint64_t smallest = (cell << shift) + 1;
                if (smallest <= sizes.max() && sizes.index(smallest) == index)
                    cells[cell].store(table, std::memory_order_release);
            }
        };
        publish_in(fine_, kFineCells, kFine);
        publish_in(medium_, kMediumCells, kMedium);
        publish_in(coarse_, kCoarseCells, kCoarse);
    }

    void clear() {
        auto clear_all = [](auto &cells) {
            for (std::atomic<SlabTable *> &cell : cells)
                cell.store(&closed_table, std::memory_order_relaxed);
        };
        clear_all(fine_);
        clear_all(medium_);
        clear_all(coarse_);
    }

private:
    static constexpr uint32_t kFine = 4, kMedium = 9, kCoarse = 16; // cells in powers of two
    static constexpr uint64_t kFineCells = 128, kMediumCells = 512, kCoarseCells = 256;

    static SlabTable closed_table;

    std::atomic<SlabTable *> fine_[kFineCells], medium_[kMediumCells], coarse_[kCoarseCells];
};

// Gives nothing and takes nothing.
inline SlabTable SizeMap::closed_table;

} // namespace pool
