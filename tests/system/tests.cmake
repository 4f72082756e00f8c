# Every tests/system/test_*.py is one ctest test; they run the real daemon on loopback.
find_program(PYTEST_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
file(GLOB system_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
foreach(path IN LISTS system_tests)
    get_filename_component(name ${path} NAME_WE)
    string(REGEX REPLACE "^test_" "system_" name ${name})
    add_test(NAME ${name} COMMAND ${PYTEST_PYTHON} -m pytest -q -p no:cacheprovider ${path})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 ENVIRONMENT
        "BUILD=${CMAKE_BINARY_DIR};SHEPHERD=${CMAKE_BINARY_DIR}/shepherd;PYTHONDONTWRITEBYTECODE=1")
endforeach()

# Plugins that are wrong in one way each: test_broken_plugins.py loads them.
file(GLOB broken CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/broken_plugins/*.c)
foreach(source IN LISTS broken)
    get_filename_component(name ${source} NAME_WE)
    add_library(broken_${name} MODULE ${source})
    target_include_directories(broken_${name} PRIVATE ${CMAKE_SOURCE_DIR}/core/include)
    set_target_properties(broken_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/broken_plugins)
endforeach()

include(${CMAKE_CURRENT_LIST_DIR}/usb/usb.cmake)
