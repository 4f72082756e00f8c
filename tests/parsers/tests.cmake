# Logs against their truth tables, and the same logs cut into pieces. See README.md.
find_program(PYTEST_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
foreach(kind made captures)
    if(kind STREQUAL "made")
        set(choice "not captures")
    else()
        set(choice "captures")
    endif()
    add_test(NAME parsers_${kind} COMMAND ${PYTEST_PYTHON} -m pytest -q -p no:cacheprovider -k ${choice}
             ${CMAKE_CURRENT_LIST_DIR}/test_truth.py)
    set_tests_properties(parsers_${kind} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS parsers
        ENVIRONMENT "SHEPHERD=${CMAKE_BINARY_DIR}/shepherd;PYTHONDONTWRITEBYTECODE=1")
endforeach()

file(GLOB split_plugin CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/parsers/nerdminer/*.c)
add_executable(test_splits ${CMAKE_CURRENT_LIST_DIR}/test_splits.c ${split_plugin})
target_link_libraries(test_splits PRIVATE shep_ingest)
add_test(NAME parsers_splits COMMAND test_splits ${CMAKE_CURRENT_SOURCE_DIR}/data)
set_tests_properties(parsers_splits PROPERTIES TIMEOUT 300 LABELS parsers)
