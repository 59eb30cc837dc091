# SPDX-License-Identifier: Apache-2.0
# libpool.so and libpool.a from one set of objects.

set(POOL_SOVERSION 0) # the ABI's number, not the release's

file(GLOB_RECURSE pool_sources CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/src/*.cpp ${PROJECT_SOURCE_DIR}/capi/*.cpp)

# Its header tells valgrind what is pooled; the library does not depend on it.
find_path(POOL_VALGRIND_INCLUDE valgrind/memcheck.h)
if(POOL_VALGRIND_INCLUDE)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/src/platform/annotate.cpp PROPERTIES
        COMPILE_DEFINITIONS POOL_HAVE_VALGRIND INCLUDE_DIRECTORIES ${POOL_VALGRIND_INCLUDE})
endif()

add_library(pool_objects_files OBJECT ${pool_sources})
set_target_properties(pool_objects_files PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
target_compile_options(pool_objects_files PRIVATE
    $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique> -falign-functions=64 -ftls-model=global-dynamic)
target_compile_definitions(pool_objects_files PRIVATE
    _GNU_SOURCE "POOL_COMPILER=\"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\""
    $<$<STREQUAL:${POOL_JEMALLOC},OFF>:POOL_NO_JEMALLOC>)
target_include_directories(pool_objects_files PUBLIC
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(pool_objects_files PRIVATE pool_warnings pool_sanitizers Threads::Threads)

if(POOL_JEMALLOC STREQUAL "LINK")
    find_library(POOL_JEMALLOC_LIBRARY jemalloc REQUIRED)
endif()

function(pool_library target kind)
    add_library(${target} ${kind} $<TARGET_OBJECTS:pool_objects_files>)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME pool EXPORT_NAME ${ARGV2})
    target_include_directories(${target} INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${target} PRIVATE
        Threads::Threads $<BUILD_INTERFACE:pool_sanitizers> ${POOL_JEMALLOC_LIBRARY})
    add_library(pool::${ARGV2} ALIAS ${target})
endfunction()

pool_library(pool_shared SHARED pool)
pool_library(pool_static STATIC pool_static)

# For programs in C, which would not link it by themselves.
target_link_libraries(pool_static INTERFACE stdc++)

set_target_properties(pool_shared PROPERTIES
    VERSION ${PROJECT_VERSION}
    SOVERSION ${POOL_SOVERSION}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/capi/libpool.map)
# nodelete: a thread's rseq area may point at a sequence long after its last call; see
# docs/architecture.md.
target_link_options(pool_shared PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/capi/libpool.map
    -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
if(NOT POOL_SANITIZE) # whose run-time libraries come with the program
    target_link_options(pool_shared PRIVATE -Wl,-z,defs)
endif()
