#define TOY_NAME "short_struct"
#define TOY_SIZE 16
#include "toy.h"
