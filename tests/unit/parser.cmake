# Parser plugins, line by line. Their sources are linked in, so that the test sees their insides too.
file(GLOB nerdminer_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/parsers/nerdminer/*.c)
foreach(name parser_nerdminer parser_nerdminer_boot parser_nerdminer_text)
    shep_unit_test(${name} SOURCES unit/parser_host.c ${nerdminer_sources})
    target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/plugins/parsers/nerdminer)
endforeach()
