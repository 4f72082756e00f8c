# The pages in a real browser. See README.md.
add_test(NAME browser COMMAND ${CMAKE_CURRENT_LIST_DIR}/run)
set_tests_properties(browser PROPERTIES
    ENVIRONMENT "SHEPHERD=${CMAKE_BINARY_DIR}/shepherd"
    SKIP_RETURN_CODE 77
    TIMEOUT 1200
    LABELS browser)
