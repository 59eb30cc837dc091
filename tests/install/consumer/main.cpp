// SPDX-License-Identifier: Apache-2.0
#include <pool/pool.hpp>

#include <cstdio>

int main() {
    pool::objects<int> pool;
    *pool.get() = 1;
    std::puts(*pool.get() == 1 ? "served" : "lost");
}
