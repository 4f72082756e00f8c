#define TOY_NAME "writable"
#include "toy.h"
