// A fuzz target without a fuzzer: inputs at random, the same in every run.
//
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main() {
    std::mt19937 random(1);
    for (int i = 0; i < 3000; i++) {
        std::vector<uint8_t> input(random() % 400);
        for (uint8_t &byte : input)
            byte = static_cast<uint8_t>(random());
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
}
