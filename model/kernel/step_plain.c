#define ISA plain
#define LANES 4
#define REGISTERS 16
#define SUPPORTED 1
#include "step.inc"
