// The main of every benchmark binary.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace bench {

// Runs what has been registered, after noting in the report which library, compiler, C library and
// malloc this process has. Returns main's status.
int run(int argc, char **argv);

} // namespace bench
