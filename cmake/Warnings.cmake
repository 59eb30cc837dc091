# SPDX-License-Identifier: Apache-2.0
# pool_warnings: what every target of this project is compiled with.
add_library(pool_warnings INTERFACE)
target_compile_options(pool_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Wcast-align
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
    $<$<BOOL:${POOL_WERROR}>:-Werror>)
