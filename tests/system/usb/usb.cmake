# Boards on USB, without USB: plugger plugs them, ttyshim.so makes pseudo-terminals behave like UARTs. README.md says how.
set(usb_dir ${CMAKE_CURRENT_LIST_DIR})
pkg_check_modules(UMOCKDEV IMPORTED_TARGET umockdev-1.0)
if(NOT UMOCKDEV_FOUND)
    message(STATUS "libumockdev-dev is not here: the tests of tests/system/usb are skipped. tests/run installs it.")
else()
    add_executable(usb_plugger ${usb_dir}/plugger.c)
    target_link_libraries(usb_plugger PRIVATE PkgConfig::UMOCKDEV util)
    # It comes before the sanitizer in the programs that it is loaded into, so it cannot have one itself.
    add_library(usb_ttyshim MODULE ${usb_dir}/ttyshim.c)
    target_compile_options(usb_ttyshim PRIVATE -fno-sanitize=all -U_FORTIFY_SOURCE)
    target_link_options(usb_ttyshim PRIVATE -fno-sanitize=all)
    target_link_libraries(usb_ttyshim PRIVATE ${CMAKE_DL_LIBS})
    set_target_properties(usb_plugger usb_ttyshim PROPERTIES PREFIX "" RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/usb
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/usb)
    set_target_properties(usb_plugger PROPERTIES OUTPUT_NAME plugger)
    set_target_properties(usb_ttyshim PROPERTIES OUTPUT_NAME ttyshim)
endif()

file(GLOB usb_tests CONFIGURE_DEPENDS ${usb_dir}/test_*.py)
foreach(path IN LISTS usb_tests)
    get_filename_component(name ${path} NAME_WE)
    string(REGEX REPLACE "^test_" "system_usb_" name ${name})
    add_test(NAME ${name} COMMAND ${PYTEST_PYTHON} -m pytest -q -p no:cacheprovider ${path})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 ENVIRONMENT
        "BUILD=${CMAKE_BINARY_DIR};SHEPHERD=${CMAKE_BINARY_DIR}/shepherd;PYTHONDONTWRITEBYTECODE=1")
endforeach()
