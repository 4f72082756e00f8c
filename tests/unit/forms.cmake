# answer.c alone: the test is the store, the loop and the web server around it.
shep_unit_test(forms_answer LINK shep_util PkgConfig::JANSSON SOURCES ${CMAKE_SOURCE_DIR}/core/forms/answer.c)
