// The scenarios of the connection pool's benchmark, one source file each.
//
// SPDX-License-Identifier: Apache-2.0
//
// Times are nanoseconds per pair of an acquire and a release. Connections are stubs.
#pragma once

namespace bench {

void register_pair();
void register_hold();
void register_keyed();
void register_slow_dial();

} // namespace bench
