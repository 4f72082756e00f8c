set(http_rig unit/test_http_server.c unit/test_http_fake.c)
shep_unit_test(http_wire LINK shep_http)
shep_unit_test(http LINK shep_http SOURCES ${http_rig})
shep_unit_test(http_life LINK shep_http SOURCES ${http_rig})
