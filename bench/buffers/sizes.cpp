// SPDX-License-Identifier: Apache-2.0
#include "buffers/sizes.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace bench {
namespace {

struct Point {
    double size;    // bytes
    double portion; // of all messages that are not larger
};

constexpr Point kGoogleRpcs[] = {
    {1, 0},
    {2, 0.2767},
    {3, 0.4612},
    {4, 0.5534},
    {7, 0.6456},
    {32, 0.7379},
    {64, 0.7974},
    {128, 0.8271},
    {256, 0.8569},
    {512, 0.9387},
    {1024, 0.96099},
    {2048, 0.97401},
    {4096, 0.98145},
    {8192, 0.98982},
    {16384, 0.99563},
    {32768, 0.99726},
    {65536, 0.99807},
    {131072, 0.99917},
    {262144, 0.99955},
    {524288, 0.999848},
    {689145, 0.99989},
    {1005228, 0.99992},
    {1856928, 0.99996},
    {3221790, 0.99998},
    {12158197, 1},
};

constexpr Point kFacebookHadoop[] = {
    {92, 0.0074},     {271, 0.0409},    {300, 0.0520},    {326, 0.1375},     {376, 0.2026},
    {480, 0.2639},    {600, 0.4591},    {679, 0.5167},    {800, 0.5762},     {1277, 0.6282},
    {1664, 0.6673},   {3396, 0.6840},   {7830, 0.7082},   {31946, 0.7212},   {44260, 0.7584},
    {51046, 0.8160},  {75180, 0.8420},  {81565, 0.8717},  {115331, 0.8978},  {184284, 0.9257},
    {288520, 0.9535}, {470507, 0.9628}, {940700, 0.9721}, {1769244, 0.9814}, {2169118, 0.9870},
    {10000000, 1},
};

// Between two points sizes grow by a constant factor.
template <size_t n>
double quantile(const Point (&points)[n], double portion) {
    size_t i = 0;
    while (i < n - 1 && points[i].portion < portion)
        ++i;
    if (i == 0)
        return points[0].size;
    const Point &below = points[i - 1];
    const Point &above = points[i];
    const double part = (portion - below.portion) / (above.portion - below.portion);
    return below.size * std::pow(above.size / below.size, part);
}

} // namespace

std::vector<uint32_t> sizes(Distribution distribution, size_t count) {
    std::vector<uint32_t> drawn(count);
    for (size_t i = 0; i < count; ++i) {
        const double portion = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
        drawn[i] = static_cast<uint32_t>(distribution == Distribution::kGoogleRpcs
                                             ? quantile(kGoogleRpcs, portion)
                                             : quantile(kFacebookHadoop, portion));
    }
    std::shuffle(drawn.begin(), drawn.end(), std::mt19937(1));
    return drawn;
}

} // namespace bench
