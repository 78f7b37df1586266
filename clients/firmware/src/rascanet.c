#include "rascanet.h"

enum { BURST_ROWS = 5, COLUMNS = 16, HALF = 1 << 14 };

struct rascanet {
    const rascanet_model *model;
    const rascanet_policy *policy;
    rascanet_integer_output output;
    uint16_t row, next_burst, last_burst, processed, skipped; /* `row` is the next one that comes */
    uint8_t exited;
};

static size_t state_values(const rascanet_model *model) {
    return (size_t)model->network->width / COLUMNS * (size_t)model->network->hidden;
}

static size_t rounded(size_t bytes) { return (bytes + 3) / 4 * 4; }

static int16_t *state_of(const rascanet *network) { return (int16_t *)(uintptr_t)(network + 1); }

static uint8_t *room_of(const rascanet *network) {
    return (uint8_t *)state_of(network) + rounded(2 * state_values(network->model));
}

static int decided(const rascanet *network) { return network->exited || network->next_burst == network->model->bursts; }

size_t rascanet_arena_bytes(const rascanet_model *model) {
    return sizeof(rascanet) + rounded(2 * state_values(model)) + rascanet_integer_arena_bytes(model->network);
}

rascanet *rascanet_init(const rascanet_model *model, const rascanet_policy *policy, void *arena, size_t bytes) {
    if (!arena || (uintptr_t)arena % 4 || bytes < rascanet_arena_bytes(model))
        return NULL;
    rascanet *network = arena;
    network->model = model;
    network->policy = policy;
    rascanet_begin(network);
    return network;
}

void rascanet_begin(rascanet *network) {
    int16_t *state = state_of(network);
    for (size_t i = 0, values = state_values(network->model); i < values; i++)
        state[i] = 0;
    network->output = (rascanet_integer_output){{0, 0}, 0, 0};
    network->row = network->next_burst = network->last_burst = network->processed = network->skipped = 0;
    network->exited = 0;
}

uint8_t *rascanet_room(rascanet *network) {
    return rascanet_integer_room(network->model->network, network->row % BURST_ROWS, room_of(network));
}

/* What the policy makes of a burst that was processed. */
static void judge(rascanet *network) {
    const uint16_t burst = network->next_burst++;
    const int32_t p_person = network->output.p_person;
    const rascanet_policy *policy = network->policy;
    network->last_burst = burst;
    network->processed++;
    if (decided(network))
        return;
    if (p_person >= policy->exit_from[burst] || p_person <= policy->exit_to[burst]) {
        network->exited = 1;
    } else if (p_person <= policy->skip_to) {
        network->next_burst++;
        network->skipped++;
    }
}

static rascanet_status status_of(const rascanet *network) {
    if (decided(network))
        return RASCANET_DECIDED;
    return network->row < rascanet_wanted_row(network) ? RASCANET_SKIPS : RASCANET_READS_ON;
}

rascanet_status rascanet_rows(rascanet *network, const uint8_t *rows, size_t count) {
    const rascanet_integer_network *numbers = network->model->network;
    for (size_t i = 0; i < count && !decided(network); i++) {
        const uint8_t *from = rows ? rows + i * 3 * (size_t)numbers->width : rascanet_room(network);
        const uint16_t row = network->row++;
        if (row / BURST_ROWS >= network->next_burst && /* not of a skipped burst */
            rascanet_integer_row(numbers, from, row % BURST_ROWS, state_of(network), &network->output, room_of(network)))
            judge(network);
    }
    return status_of(network);
}

size_t rascanet_wanted_row(const rascanet *network) {
    const size_t first = (size_t)network->next_burst * BURST_ROWS;
    return network->row > first ? network->row : first;
}

void rascanet_pass(rascanet *network) { network->row = (uint16_t)rascanet_wanted_row(network); }

rascanet_decision rascanet_decide(const rascanet *network) {
    return (rascanet_decision){
        .decided = (uint8_t)decided(network),
        .person = network->output.p_person >= HALF,
        .exited = network->exited,
        .p_person = (uint16_t)network->output.p_person,
        .confidence = (uint16_t)network->output.confidence,
        .burst = network->last_burst,
        .processed = network->processed,
        .skipped = network->skipped,
    };
}

const rascanet_integer_output *rascanet_output(const rascanet *network) { return &network->output; }

const int16_t *rascanet_state(const rascanet *network, size_t *count) {
    *count = state_values(network->model);
    return state_of(network);
}
