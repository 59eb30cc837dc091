# SPDX-License-Identifier: Apache-2.0
# pool_warnings: what every target of this project is compiled with.
add_library(pool_warnings INTERFACE)
target_compile_options(pool_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Wcast-align
    # offsetof of classes without virtual functions: both compilers support it.
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Wno-invalid-offsetof>
    $<$<BOOL:${POOL_WERROR}>:-Werror>)
