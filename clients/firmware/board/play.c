/* Plays frames through the network on a board of QEMU's, and prints all that the network says, over semihosting.

   Of each frame of `frames.bin`, pixel after pixel, every burst is printed, and the decision at its end:

       burst FRAME BURST LOGIT LOGIT CONFIDENCE P_PERSON HASH_OF_STATE TICKS
       decision FRAME POLICY PERSON P_PERSON BURST PROCESSED SKIPPED EXITED

   where ticks are those of the rows of that burst. Then of each frame of `policies.bin` the decision of every policy.
   At the end come the sizes: `memory ARENA STACK`, the stack as far as a call of the library wrote to it. */
#include "rascanet.h"
#include "state_hash.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#define NAMED(what) JOIN(MODEL, what)
#include TEXT(MODEL.h)

enum { BURST_ROWS = 5, PAINTED_WORDS = 512, PAINT = 0x5eed5eed };
enum { OPEN = 1, WRITE0 = 4, READ = 6, SEEK = 10, EXIT = 24, EXITED = 0x20026 };

/* ---- the board ---- */

extern uint32_t stack_top[];
int main(void);

__attribute__((noreturn)) void start(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {stack_top, (const void *)start,
                                                                                 (const void *)start, (const void *)start};

static int host(int what, const void *with) {
    register int r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = with;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void start(void) {
    *(volatile uint32_t *)0xe000ed88 |= 0xf << 20; /* the floating-point and vector unit */
    __asm__ volatile("dsb\n\tisb");
#ifdef SYSTICK
    *(volatile uint32_t *)0xe000e014 = 0xffffff;
    *(volatile uint32_t *)0xe000e018 = 0;
    *(volatile uint32_t *)0xe000e010 = 5;
#else
    *(volatile uint32_t *)0x40000008 = 0xffffffff;
    *(volatile uint32_t *)0x40000004 = 0xffffffff;
    *(volatile uint32_t *)0x40000000 = 1;
#endif
    main();
    host(EXIT, (const void *)EXITED);
    for (;;)
        ;
}

/* Counts downwards. */
static uint32_t ticks_between(uint32_t before, uint32_t after) {
#ifdef SYSTICK
    return (before - after) & 0xffffff;
#else
    return before - after;
#endif
}

static uint32_t now(void) {
#ifdef SYSTICK
    return *(volatile uint32_t *)0xe000e018;
#else
    return *(volatile uint32_t *)0x40000004;
#endif
}

static void say(const char *text) { host(WRITE0, text); }

static void say_number(int32_t value) {
    char digits[14], *at = digits + sizeof digits - 1;
    uint32_t left = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    *at = 0;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    *--at = ' ';
    say(at);
}

/* ---- the frames ---- */

static int file_of(const char *name) {
    uint32_t length = 0;
    while (name[length])
        length++;
    const uint32_t with[] = {(uint32_t)name, 1, length};
    return host(OPEN, with);
}

static int read_row(int file, uint32_t frame, uint32_t row, uint8_t *to) {
    const uint32_t bytes = 3u * (uint32_t)NAMED(_network).width;
    const uint32_t place[] = {(uint32_t)file, (frame * MODEL_ROWS + row) * bytes};
    const uint32_t with[] = {(uint32_t)file, (uint32_t)to, bytes};
    host(SEEK, place);
    return host(READ, with) == 0;
}

/* ---- measuring ---- */

static uint32_t most_stack, ticks;

static __attribute__((noinline)) rascanet_status take_row(rascanet *network) {
    uint32_t *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    volatile uint32_t *lowest = here - PAINTED_WORDS;
    for (uint32_t i = 0; i < PAINTED_WORDS; i++)
        lowest[i] = PAINT;
    const uint32_t before = now();
    const rascanet_status status = rascanet_rows(network, NULL, 1);
    ticks += ticks_between(before, now());
    uint32_t untouched = 0;
    while (untouched < PAINTED_WORDS && lowest[untouched] == PAINT)
        untouched++;
    const uint32_t stack = 4 * (PAINTED_WORDS - untouched);
    most_stack = stack > most_stack ? stack : most_stack;
    return status;
}

static uint32_t arena[4096];

/* Whether there was such a frame. */
static int play(int file, uint32_t frame, const char *name, const rascanet_policy *policy, int aloud) {
    rascanet *network = rascanet_init(&MODEL, policy, arena, sizeof arena);
    rascanet_status status;
    ticks = 0;
    if (!network) {
        say("the arena is too small\n");
        return 0;
    }
    do {
        const uint32_t row = (uint32_t)rascanet_wanted_row(network);
        rascanet_pass(network);
        if (!read_row(file, frame, row, rascanet_room(network)))
            return 0;
        status = take_row(network);
        if (aloud && row % BURST_ROWS == BURST_ROWS - 1) {
            const rascanet_integer_output *output = rascanet_output(network);
            say("burst");
            say_number((int32_t)frame), say_number((int32_t)(row / BURST_ROWS));
            say_number(output->logits[0]), say_number(output->logits[1]);
            say_number(output->confidence), say_number(output->p_person);
            say_number((int32_t)hash_of_state(network)), say_number((int32_t)ticks);
            say("\n");
            ticks = 0;
        }
    } while (status != RASCANET_DECIDED);
    const rascanet_decision decision = rascanet_decide(network);
    say("decision"), say_number((int32_t)frame), say(" "), say(name);
    say_number(decision.person), say_number(decision.p_person), say_number(decision.burst);
    say_number(decision.processed), say_number(decision.skipped), say_number(decision.exited);
    say("\n");
    return 1;
}

int main(void) {
    const int frames = file_of("frames.bin"), decided = file_of("policies.bin");
    for (uint32_t frame = 0; play(frames, frame, "never", &NAMED(_never), 1); frame++)
        ;
    for (uint32_t frame = 0; play(decided, frame, "published", &NAMED(_published), 0); frame++) {
        play(decided, frame, "two_sided", &NAMED(_two_sided), 0);
        play(decided, frame, "per_burst", &NAMED(_per_burst), 0);
        play(decided, frame, "calibrated", &NAMED(_calibrated), 0);
    }
    say("memory"), say_number((int32_t)rascanet_arena_bytes(&MODEL)), say_number((int32_t)most_stack), say("\n");
    return 0;
}
