set(http_rig unit/test_http_server.c unit/test_http_fake.c)
shep_unit_test(http_wire LINK shep_http)
shep_unit_test(http_form LINK shep_http)
shep_unit_test(http LINK shep_http SOURCES ${http_rig})
shep_unit_test(http_access LINK shep_http PkgConfig::SQLITE SOURCES ${http_rig})
shep_unit_test(http_life LINK shep_http SOURCES ${http_rig})
shep_unit_test(http_pulse LINK shep_http SOURCES ${http_rig})

# The room as a program; system/test_http_guards.py tries what guards it from outside.
add_executable(httpd_fixture system/httpd_fixture.c unit/test_http_fake.c)
target_link_libraries(httpd_fixture PRIVATE shep_http)
target_include_directories(httpd_fixture PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
