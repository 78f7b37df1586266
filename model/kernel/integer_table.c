/* Sigmoid by 32 parabolas from 0 to 8; one minus itself below zero. */
#include "integer_math.h"

const int16_t rascanet_sigmoid_table[32][3] = {
#include "integer_table.inc"
};

int32_t rascanet_integer_sigmoid(int32_t argument) {
    const int32_t size = argument >= 0 ? argument : argument == INT16_MIN ? INT16_MAX : -argument;
    const int16_t *piece = rascanet_sigmoid_table[size >> PIECE_BITS];
    const int32_t place = size & ((1 << PIECE_BITS) - 1);
    const int32_t steep = piece[1] + ((piece[2] * place + (1 << (PIECE_BITS - 1))) >> PIECE_BITS);
    const int32_t value = piece[0] + ((steep * place + (1 << (PIECE_BITS + FINE_BITS - 1))) >> (PIECE_BITS + FINE_BITS));
    return argument < 0 ? (1 << UNIT_BITS) - value : value;
}
