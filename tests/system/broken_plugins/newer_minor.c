#define TOY_NAME  "newer_minor"
#define TOY_MINOR (SHEP_ABI_MINOR + 1)
#include "toy.h"
