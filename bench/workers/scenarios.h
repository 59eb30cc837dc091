// The scenarios of the worker pool's benchmark, one source file each. Those that peers take part in
// are templates over a subject, in a header of the same name.
//
// SPDX-License-Identifier: Apache-2.0
//
// Times are nanoseconds per task, unless a scenario says otherwise. There are two workers.
#pragma once

namespace bench {

void register_flood();
void register_bulk();
void register_forkjoin();
void register_wake();
void register_work();
void register_steady();
void register_idle();

} // namespace bench
