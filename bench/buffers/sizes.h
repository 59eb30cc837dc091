// Size distributions that were measured in data centres and published.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

// All RPCs of a data centre of Google, and all traffic of a Hadoop cluster of Facebook: workloads W3
// and W4 of Montazeri, Li, Alizadeh and Ousterhout, "Homa", SIGCOMM 2018. The second one comes from
// Roy, Zeng, Bagga, Porter and Snoeren, "Inside the social network's (datacenter) network", SIGCOMM
// 2015.
enum class Distribution { kGoogleRpcs, kFacebookHadoop };

// `count` sizes in bytes, each an equal share of the distribution apart, in an order that looks like
// chance and is the same every time.
std::vector<uint32_t> sizes(Distribution distribution, size_t count);

} // namespace bench
