# SPDX-License-Identifier: Apache-2.0
# pool_sanitizers: POOL_SANITIZE applied to a target and all that links it.
add_library(pool_sanitizers INTERFACE)
if(POOL_SANITIZE)
    target_compile_options(pool_sanitizers INTERFACE
        -fsanitize=${POOL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(pool_sanitizers INTERFACE -fsanitize=${POOL_SANITIZE})
endif()
