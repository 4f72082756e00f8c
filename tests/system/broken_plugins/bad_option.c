#include "shepherd/plugin.h"
static const struct shep_option options[] = {
    {"interval", "seconds", "60", NULL, SHEP_OPT_INT, 0, 10, 3600}, {0}};
#define TOY_NAME    "bad_option"
#define TOY_OPTIONS options
#include "toy.h"
