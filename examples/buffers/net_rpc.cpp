// net_rpc.cpp - a typed free list, as net/rpc's server has for its requests.
//
// SPDX-License-Identifier: Apache-2.0
#include <pool/pool.hpp>

#include <cstdio>

struct Request {
    char service_method[56];
    uint64_t sequence;
};

int main() {
    pool::free_list<Request> requests;
    uint64_t left_over = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        auto request = requests.get(); // a std::unique_ptr that puts it back
        left_over += request->sequence;
        request->sequence = i;
    }
    std::printf("1000 requests, %d allocated, %d left over\n",
                static_cast<int>(requests.stats().misses), static_cast<int>(left_over));
}
