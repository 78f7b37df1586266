/* Plays the frames of `frames.bin` to their ends, for an operating system: prints the lines `burst` of the boards' program,
   without ticks. */
#include <stdio.h>

#include "rascanet.h"
#include "state_hash.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#define NAMED(what) JOIN(MODEL, what)
#include TEXT(MODEL.h)

enum { BURST_ROWS = 5 };

int main(void) {
    static uint32_t arena[1 << 14];
    FILE *frames = fopen("frames.bin", "rb");
    const size_t row_bytes = 3u * (size_t)NAMED(_network).width;
    for (int frame = 0; frames; frame++) {
        rascanet *network = rascanet_init(&MODEL, &NAMED(_never), arena, sizeof arena);
        if (!network)
            return 1;
        rascanet_status status;
        do {
            const int row = (int)rascanet_wanted_row(network);
            if (fread(rascanet_room(network), 1, row_bytes, frames) != row_bytes)
                return row != 0;
            status = rascanet_rows(network, NULL, 1);
            const rascanet_integer_output *output = rascanet_output(network);
            if (row % BURST_ROWS == BURST_ROWS - 1)
                printf("burst %d %d %d %d %d %d %d\n", frame, row / BURST_ROWS, output->logits[0], output->logits[1],
                       output->confidence, output->p_person, (int32_t)hash_of_state(network));
        } while (status != RASCANET_DECIDED);
    }
    return 1;
}
