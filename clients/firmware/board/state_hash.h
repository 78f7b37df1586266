/* FNV-1a over the bytes of the state, by which programs that play frames print it. */
#ifndef STATE_HASH_H
#define STATE_HASH_H

#include "rascanet.h"

static inline uint32_t hash_of_state(const rascanet *network) {
    size_t count;
    const int16_t *state = rascanet_state(network, &count);
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < 2 * count; i++)
        hash = (hash ^ ((const uint8_t *)state)[i]) * 16777619u;
    return hash;
}

#endif
