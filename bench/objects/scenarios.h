// The scenarios of the object pool's benchmark, one source file each.
//
// SPDX-License-Identifier: Apache-2.0
//
// Times are nanoseconds per pair of a get and a put.
#pragma once

namespace bench {

void register_pair();
void register_burst();
void register_handoff();
void register_memory();
void register_factory();

} // namespace bench
