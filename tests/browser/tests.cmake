# The pages in a real browser: every *.test.mjs is one test. See README.md.
# One at a time, and alone on two cores: a browser takes them, and "within a second" is meant for a machine that has them.
file(GLOB browser_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.test.mjs)
foreach(path IN LISTS browser_tests)
    get_filename_component(file ${path} NAME)
    string(REGEX REPLACE "\\.test\\.mjs$" "" name ${file})
    add_test(NAME browser_${name} COMMAND ${CMAKE_CURRENT_LIST_DIR}/run ${file})
    set_tests_properties(browser_${name} PROPERTIES
        ENVIRONMENT "SHEPHERD=${CMAKE_BINARY_DIR}/shepherd"
        RESOURCE_LOCK browser
        PROCESSORS 2
        COST 100
        SKIP_RETURN_CODE 77
        TIMEOUT 900
        LABELS browser)
endforeach()
