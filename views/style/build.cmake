# cmake -D SOURCE=views -D OUT=BUILD/static -P build.cmake
# Style sheet, fonts and the morphing library, each with a .gz beside it where that is smaller.
set(modules ${SOURCE}/node_modules)
if(NOT EXISTS ${modules}/@tailwindcss/cli/dist/index.mjs OR NOT EXISTS ${modules}/idiomorph/dist/idiomorph.esm.js)
    message(FATAL_ERROR "views/node_modules is missing or incomplete: run config/quickstart --no-run")
endif()
find_program(NODE NAMES node nodejs)
if(NOT NODE)
    message(FATAL_ERROR "node is missing: run config/quickstart --no-run")
endif()
find_program(GZIP gzip REQUIRED)

file(MAKE_DIRECTORY ${OUT}/files)
execute_process(
    COMMAND ${NODE} ${modules}/@tailwindcss/cli/dist/index.mjs --input style/app.css --output ${OUT}/app.css.new --minify
    WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE failed ERROR_VARIABLE errors)
if(failed)
    message(FATAL_ERROR "Tailwind failed on views/style/app.css:\n${errors}")
endif()

configure_file(${modules}/idiomorph/dist/idiomorph.esm.js ${OUT}/idiomorph.js COPYONLY)
# The style sheets of the fonts name their files as ./files/…
foreach(font inter jetbrains-mono)
    set(folder ${modules}/@fontsource-variable/${font})
    file(GLOB fonts ${folder}/files/inter-*-opsz-normal.woff2 ${folder}/files/jetbrains-mono-*-wght-normal.woff2)
    file(COPY ${fonts} DESTINATION ${OUT}/files)
    configure_file(${folder}/LICENSE ${OUT}/files/${font}-LICENSE.txt COPYONLY)
endforeach()

file(RENAME ${OUT}/app.css.new ${OUT}/app.css) # last: its presence says that everything is there
foreach(text app.css idiomorph.js)
    execute_process(COMMAND ${GZIP} -9 -n -k -f ${OUT}/${text} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
