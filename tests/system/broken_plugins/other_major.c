#define TOY_NAME  "other_major"
#define TOY_MAJOR (SHEP_ABI_MAJOR + 1)
#include "toy.h"
