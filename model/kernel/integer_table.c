/* Sigmoid by table: entries every 1/32 from 0 to 8, linear between, one minus itself below zero. */
#include "integer_math.h"

const uint16_t rascanet_sigmoid_table[257] = {
#include "integer_table.inc"
};

int32_t rascanet_integer_sigmoid(int32_t argument) {
    const int32_t size = argument >= 0 ? argument : argument == INT16_MIN ? INT16_MAX : -argument;
    const uint16_t *entry = rascanet_sigmoid_table + (size >> TABLE_STEP_BITS);
    const int32_t rest = size & ((1 << TABLE_STEP_BITS) - 1), slope = entry[1] - entry[0];
    const int32_t value = entry[0] + ((slope * rest + (1 << (TABLE_STEP_BITS - 1))) >> TABLE_STEP_BITS);
    return argument < 0 ? (1 << UNIT_BITS) - value : value;
}
