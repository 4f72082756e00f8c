# Tests of plugins: each loads the plugin's .so into the host of fakehost.h, without the daemon.
function(shep_plugin_test name plugin)
    if(NOT TARGET ${plugin})
        message(FATAL_ERROR "test plugin_${name}: there is no plugin ${plugin}")
    endif()
    shep_unit_test(plugin_${name}
                   SOURCES unit/fakehost.c unit/fakehost_loop.c unit/fakehost_device.c unit/fakehost_herd.c
                   LINK ${CMAKE_DL_LIBS} Threads::Threads m ${ARGN})
    add_dependencies(test_plugin_${name} ${plugin})
endfunction()

shep_plugin_test(serial source_serial)
shep_plugin_test(serial_hang source_serial)
shep_plugin_test(serial_lines source_serial)
shep_plugin_test(udev source_udev)
target_sources(test_plugin_serial PRIVATE unit/serialbench.c)
target_sources(test_plugin_serial_hang PRIVATE unit/serialbench.c)
target_sources(test_plugin_serial_lines PRIVATE unit/serialbench.c)
target_sources(test_plugin_udev PRIVATE unit/fakeudev.c)
# ioctl() and libudev of their own: the plugin finds the names in the program before it looks in libraries.
set_target_properties(test_plugin_serial test_plugin_serial_hang test_plugin_serial_lines test_plugin_udev
                      PROPERTIES ENABLE_EXPORTS ON C_VISIBILITY_PRESET default)
shep_plugin_test(replay source_replay)
shep_plugin_test(summarize service_summarize)
shep_plugin_test(price service_price PkgConfig::JANSSON)
shep_plugin_test(network service_network PkgConfig::JANSSON)

find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME demo_logs COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/plugins/sources/replay/demo/make.py --check)

# The example in the guide is compiled from its text, as a stranger would: plain C11, nothing but the installed header,
# no undefined symbol. So the guide cannot rot.
set(guide ${CMAKE_SOURCE_DIR}/plugins/README.md)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${guide})
file(READ ${guide} guide_text)
string(REGEX MATCH "\n```c\n(.*)\n```\nBuild it" guide_match "${guide_text}")
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/guide/toast.c CONTENT "${CMAKE_MATCH_1}\n" @ONLY)
add_custom_command(
    OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/guide/parser_toast.so
    COMMAND ${CMAKE_C_COMPILER} -std=c11 -Wall -Wextra -Wno-unused-parameter -Werror -shared -fPIC -fvisibility=hidden
            -Wl,-z,defs -I${CMAKE_SOURCE_DIR}/core/include -o guide/parser_toast.so guide/toast.c
    DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/guide/toast.c ${CMAKE_SOURCE_DIR}/core/include/shepherd/plugin.h
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
add_custom_target(guide_plugin DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/guide/parser_toast.so)
shep_plugin_test(guide guide_plugin)
target_compile_definitions(test_plugin_guide PRIVATE
                           GUIDE_PLUGIN="${CMAKE_CURRENT_BINARY_DIR}/guide/parser_toast.so")
