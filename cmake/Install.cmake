# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, and the target `uninstall`, which takes it away again.
include(CMakePackageConfigHelpers)

install(TARGETS pool_shared pool_static EXPORT poolTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/pool DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# pkg-config: every path is relative to the file itself, so the installed tree can be moved.
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR pool_libdir_is_absolute)
if(pool_libdir_is_absolute)
    set(pool_pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(pool_pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
    file(RELATIVE_PATH pool_pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    set(pool_pc_prefix "\${pcfiledir}/${pool_pc_up}")
    string(REGEX REPLACE "/$" "" pool_pc_prefix "${pool_pc_prefix}")
    set(pool_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_INCLUDEDIR pool_includedir_is_absolute)
if(pool_includedir_is_absolute)
    set(pool_pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
else()
    set(pool_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
if(POOL_JEMALLOC STREQUAL "LINK")
    set(pool_pc_private_libs " -ljemalloc")
endif()
configure_file(${PROJECT_SOURCE_DIR}/pool.pc.in ${PROJECT_BINARY_DIR}/pool.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pool.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# find_package(pool)
set(pool_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pool)
install(EXPORT poolTargets NAMESPACE pool:: DESTINATION ${pool_config_dir})
configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/poolConfig.cmake.in ${PROJECT_BINARY_DIR}/poolConfig.cmake
    INSTALL_DESTINATION ${pool_config_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/poolConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/poolConfig.cmake ${PROJECT_BINARY_DIR}/poolConfigVersion.cmake
    DESTINATION ${pool_config_dir})

# A project around this one has an installation, and a way back out, of its own.
if(PROJECT_IS_TOP_LEVEL)
    add_custom_target(uninstall
        COMMAND ${CMAKE_COMMAND} -DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt
                -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake
        VERBATIM)
endif()
