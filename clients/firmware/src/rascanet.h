/* RaScaNet on a microcontroller: rows in as the sensor gives them, a decision out, no more rows read than it takes.

   No allocation, no library, no float: every byte that changes is in an arena of the caller's.

       static uint32_t arena[2048];
       rascanet *network = rascanet_init(&rascanet_105x120, &rascanet_105x120_published, arena, sizeof arena);
       do read_row(rascanet_room(network));
       while (rascanet_rows(network, NULL, 1) != RASCANET_DECIDED);
       rascanet_decision decision = rascanet_decide(network);

   The weights (`rascanet_105x120`) and the policies are in a header that `rascanet export firmware` writes. */
#ifndef RASCANET_H
#define RASCANET_H

#include "integer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A network and the frames it is for: so many bursts of five rows of `network->width` RGB pixels. */
typedef struct {
    const rascanet_integer_network *network;
    uint16_t bursts;
} rascanet_model;

/* An exit policy in integers. P(person) is Q0.15; after the burst `i` that is not the last the frame is decided where
   P(person) is `exit_from[i]` or more, or `exit_to[i]` or less; and the next burst is skipped where it is `skip_to` or
   less. 65535 is never reached from below, and 0 never from above. */
typedef struct {
    const uint16_t *exit_from, *exit_to;
    uint16_t skip_to;
} rascanet_policy;

typedef enum {
    RASCANET_READS_ON, /* wants the next row */
    RASCANET_SKIPS,    /* wants no row before `rascanet_wanted_row`: leave rows out with `rascanet_pass`, or go on */
    RASCANET_DECIDED,  /* wants no more rows */
} rascanet_status;

typedef struct {
    uint8_t decided, person, exited; /* whether the frame is decided; as person; before its end */
    uint16_t p_person, confidence;   /* Q0.15, after the last burst that was processed */
    uint16_t burst;                  /* that burst */
    uint16_t processed, skipped;     /* bursts so far */
} rascanet_decision;

typedef struct rascanet rascanet;

/* Bytes of an arena for a model. */
size_t rascanet_arena_bytes(const rascanet_model *model);

/* A network before its first frame, at the beginning of the arena; NULL if the arena is too small, or does not begin at a
   multiple of four. Model and policy stay where they are for as long as the network is used. */
rascanet *rascanet_init(const rascanet_model *model, const rascanet_policy *policy, void *arena, size_t bytes);

/* Begins the next frame. */
void rascanet_begin(rascanet *network);

/* Where the next row may be written, so that it need not be copied: `width` times red, green, blue. */
uint8_t *rascanet_room(rascanet *network);

/* Takes so many rows, one after the other; NULL for one row that was written to `rascanet_room`. Rows of a skipped burst are
   not looked at, nor are rows after the decision. */
rascanet_status rascanet_rows(rascanet *network, const uint8_t *rows, size_t count);

/* The first row that is looked at next. */
size_t rascanet_wanted_row(const rascanet *network);

/* Leaves out the rows of a skipped burst: what comes next is the row of `rascanet_wanted_row`. */
void rascanet_pass(rascanet *network);

/* What is known after the last burst. */
rascanet_decision rascanet_decide(const rascanet *network);

/* What that burst gave, and the state [column][channel] after it. */
const rascanet_integer_output *rascanet_output(const rascanet *network);
const int16_t *rascanet_state(const rascanet *network, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
