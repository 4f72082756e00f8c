# The tests render with the real shepherd-script. Each file is one subject.
file(GLOB script_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/unit/test_script_*.c)
foreach(file IN LISTS script_tests)
    get_filename_component(name ${file} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${name})
    shep_unit_test(${name} LINK shep_script shep_store PkgConfig::ZLIB SOURCES unit/script_fixture.c)
    add_dependencies(test_${name} shepherd-script)
endforeach()
