# Parser plugins, line by line. Their sources are linked in, so that the test sees their insides too.
file(GLOB nerdminer_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/parsers/nerdminer/*.c)
shep_unit_test(parser_nerdminer SOURCES ${nerdminer_sources})
target_include_directories(test_parser_nerdminer PRIVATE ${CMAKE_SOURCE_DIR}/plugins/parsers/nerdminer)
