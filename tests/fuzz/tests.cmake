# Fuzz targets: libFuzzer, clang only, SHEP_FUZZ=ON (preset fuzz; tests/run does it). `fuzzers` builds all of them.
if(NOT SHEP_FUZZ)
    return()
endif()
set(SHEP_FUZZ_SECONDS 30 CACHE STRING "How long ctest runs each fuzz target")
add_custom_target(fuzzers)

# tests/fuzz/fuzz_NAME.c with the libraries and further sources that it needs. Seeds are taken from CORPUS, a folder;
# what the fuzzer finds on its way is kept in BUILD/fuzz/NAME and used the next time.
function(shep_fuzz name)
    cmake_parse_arguments(F "" "CORPUS" "LINK;SOURCES;OPTIONS" ${ARGN})
    add_executable(fuzz_${name} EXCLUDE_FROM_ALL fuzz/fuzz_${name}.c ${F_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE ${F_LINK})
    target_include_directories(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/core ${CMAKE_SOURCE_DIR}/core/include
                               ${CMAKE_CURRENT_SOURCE_DIR})
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers fuzz_${name})
    set(found ${CMAKE_BINARY_DIR}/fuzz/${name})
    file(MAKE_DIRECTORY ${found})
    add_test(NAME fuzz_${name} WORKING_DIRECTORY ${found}
             COMMAND fuzz_${name} -max_total_time=${SHEP_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=1024
                     -print_final_stats=1 ${F_OPTIONS} ${found} ${F_CORPUS})
    math(EXPR timeout "${SHEP_FUZZ_SECONDS} + 60")
    set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT ${timeout})
endfunction()

file(GLOB nerdminer_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/parsers/nerdminer/*.c)
shep_fuzz(ingest LINK shep_ingest SOURCES ${nerdminer_sources} CORPUS ${CMAKE_SOURCE_DIR}/plugins/sources/replay/demo
          OPTIONS -max_len=40000)
shep_fuzz(parser_nerdminer LINK m SOURCES ${nerdminer_sources} CORPUS ${CMAKE_SOURCE_DIR}/plugins/sources/replay/demo
          OPTIONS -max_len=8192)
shep_fuzz(splitter LINK shep_ingest SOURCES unit/toy_parser.c unit/recorder.c
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/../data/fuzz/splitter OPTIONS -max_len=40000)

# The words behind "// KEY:" at the start of lines of a file.
function(shep_fuzz_header out file key)
    file(STRINGS ${file} lines REGEX "^// ${key}:")
    list(TRANSFORM lines REPLACE "^// ${key}:[ ]*" "")
    string(REGEX REPLACE "[ ;]+" ";" words "${lines}")
    set(${out} ${words} PARENT_SCOPE)
endfunction()

# A fuzz_NAME.c that nobody registered and that says itself what it links: "// sources:" (README.md).
function(shep_fuzz_rest)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_*.c)
    foreach(file IN LISTS files)
        get_filename_component(target ${file} NAME_WE)
        string(REGEX REPLACE "^fuzz_" "" name ${target})
        shep_fuzz_header(patterns ${file} "sources")
        if(TARGET ${target})
            add_dependencies(fuzzers ${target}) # registered by its room
            continue()
        elseif(NOT patterns)
            continue()
        endif()
        set(sources)
        foreach(pattern IN LISTS patterns)
            file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${pattern})
            if(NOT found)
                message(FATAL_ERROR "${file}: there is no '${pattern}': correct its line '// sources:'")
            endif()
            list(APPEND sources ${found})
        endforeach()
        shep_fuzz_header(libraries ${file} "link")
        shep_fuzz_header(options ${file} "options")
        set(seeds ${CMAKE_CURRENT_SOURCE_DIR}/data/fuzz/${name})
        if(NOT EXISTS ${seeds})
            set(seeds)
        endif()
        shep_fuzz(${name} LINK ${libraries} m Threads::Threads SOURCES ${sources} CORPUS ${seeds} OPTIONS ${options})
    endforeach()
endfunction()
cmake_language(DEFER CALL shep_fuzz_rest)
