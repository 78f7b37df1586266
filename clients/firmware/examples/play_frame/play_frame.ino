// Plays one frame through the network, row by row, and prints the decision.
#include <rascanet.h>
#include <rascanet_105x120.h>

// 4,000 bytes: `rascanet_init` says no if this is too little for the model.
static uint32_t arena[1000];

// A sensor's driver goes here: it writes the next row (120 times red, green, blue) to `to`.
static void readRow(uint8_t *to, int row) {
  for (int i = 0; i < 360; i++) to[i] = (uint8_t)(row + i);
}

void setup() {
  Serial.begin(115200);
  rascanet *network = rascanet_init(&rascanet_105x120, &rascanet_105x120_published, arena, sizeof arena);
  if (!network) {
    Serial.println("the arena is too small");
    return;
  }
  int row = 0;
  do {
    row = (int)rascanet_wanted_row(network);
    rascanet_pass(network);
    readRow(rascanet_room(network), row);
  } while (rascanet_rows(network, NULL, 1) != RASCANET_DECIDED);
  rascanet_decision decision = rascanet_decide(network);
  Serial.print(decision.person ? "person" : "no person");
  Serial.print(" after row ");
  Serial.println(row + 1);
}

void loop() {}
