# Tests of plugins: each loads the plugin's .so into the host of fakehost.c, without the daemon.
function(shep_plugin_test name plugin)
    if(NOT TARGET ${plugin})
        message(FATAL_ERROR "test plugin_${name}: there is no plugin ${plugin}")
    endif()
    shep_unit_test(plugin_${name} SOURCES unit/fakehost.c LINK ${CMAKE_DL_LIBS} Threads::Threads m ${ARGN})
    add_dependencies(test_plugin_${name} ${plugin})
endfunction()

shep_plugin_test(serial source_serial)
shep_plugin_test(replay source_replay)
shep_plugin_test(summarize service_summarize)
shep_plugin_test(price service_price PkgConfig::JANSSON)

find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME demo_logs COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/plugins/sources/replay/demo/make.py --check)
