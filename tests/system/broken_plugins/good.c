#define TOY_NAME "good"
#include "toy.h"
