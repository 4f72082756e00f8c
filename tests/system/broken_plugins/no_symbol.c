#define TOY_NAME "no_symbol"
#define TOY_NO_SYMBOL
#include "toy.h"
