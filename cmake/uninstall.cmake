# SPDX-License-Identifier: Apache-2.0
# Removes exactly what the last installation from this build folder put down, and the folders of its
# own that are empty then.
if(NOT EXISTS "${MANIFEST}")
    message(FATAL_ERROR "nothing was installed from here: there is no ${MANIFEST}")
endif()
# Not a list: a bracket in a path would join its items.
file(READ "${MANIFEST}" files)
while(files MATCHES "^([^\n]+)\n?(.*)$")
    set(file "$ENV{DESTDIR}${CMAKE_MATCH_1}")
    set(files "${CMAKE_MATCH_2}")
    if(EXISTS "${file}" OR IS_SYMLINK "${file}")
        file(REMOVE "${file}")
        message(STATUS "removed ${file}")
    endif()
    # rmdir refuses a folder that holds something, whatever that is called.
    get_filename_component(folder "${file}" DIRECTORY)
    get_filename_component(name "${folder}" NAME)
    if(name STREQUAL "hpp" AND IS_DIRECTORY "${folder}")
        execute_process(COMMAND rmdir "${folder}" ERROR_QUIET)
        get_filename_component(folder "${folder}" DIRECTORY)
        get_filename_component(name "${folder}" NAME)
    endif()
    if(name STREQUAL "pool" AND IS_DIRECTORY "${folder}")
        execute_process(COMMAND rmdir "${folder}" ERROR_QUIET)
    endif()
endwhile()
file(REMOVE "${MANIFEST}")
