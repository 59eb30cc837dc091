# SPDX-License-Identifier: Apache-2.0
# Installs BUILD into PREFIX, which is emptied first, and leaves the build's own manifest alone.
set(manifest ${BUILD}/install_manifest.txt)
if(EXISTS ${manifest})
    file(RENAME ${manifest} ${manifest}.kept)
endif()
file(REMOVE_RECURSE ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX}
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${manifest} ${PREFIX}/manifest.txt)
if(EXISTS ${manifest}.kept)
    file(RENAME ${manifest}.kept ${manifest})
endif()
