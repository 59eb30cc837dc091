// The scenarios of the buffer pool's benchmark, one source file each.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace bench {

void register_pair();
void register_buf();
void register_bounded();
void register_recorded();
void register_burst();

} // namespace bench
