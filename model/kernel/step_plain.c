#define ISA plain
#define LANES 4
#define CHANNEL_TILE 6
#define SUPPORTED 1
#include "step.inc"
