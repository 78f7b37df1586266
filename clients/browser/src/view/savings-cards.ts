/** What a frame cost and what was left out, as four cards; with two policies, each card has both. */

import type { Savings } from "../service/savings";
import { byId, make } from "./dom";
import { comparisonWords, everydayWords, type Spent } from "./savings-words";
import { amountWords, percent, SENT_LATE, timeWords } from "./words";

interface Card {
  id: string;
  title: string;
  used(saved: Savings): number;
  all(saved: Savings): number;
  words(amount: number): string;
  left: string;
}

const CARDS: readonly Card[] = [
  {
    id: "rows",
    title: "Rows sent",
    used: ({ rowsSent }) => rowsSent,
    all: ({ rows }) => rows,
    words: String,
    left: "never sent",
  },
  {
    id: "bytes",
    title: "Bytes of pixels sent",
    used: ({ bytesSent }) => bytesSent,
    all: ({ bytes }) => bytes,
    words: (bytes) => amountWords(bytes, "B"),
    left: "saved",
  },
  {
    id: "macs",
    title: "Multiply-accumulates",
    used: ({ macs }) => macs,
    all: ({ macsFull }) => macsFull,
    words: (macs) => amountWords(macs, ""),
    left: "saved",
  },
  {
    id: "time",
    title: "Readout time",
    used: ({ readoutMs }) => readoutMs,
    all: ({ readoutFullMs }) => readoutFullMs,
    words: timeWords,
    left: "saved",
  },
];

export class SavingsCards {
  private readonly bodies = CARDS.map(() => make("div", { class: "spent-list" }));

  constructor() {
    byId("savings").replaceChildren(
      ...CARDS.map(({ title }, index) =>
        make("div", { class: "card tile" }, make("h2", {}, title), this.bodies[index] as HTMLElement),
      ),
    );
    this.clear();
  }

  clear(): void {
    for (const [index, { id }] of CARDS.entries()) {
      this.bodies[index]?.replaceChildren(
        make("p", { class: "figure" }, make("span", { id: `saved-${id}` }, "–")),
        make("div", { class: "bar" }, make("div")),
        make("p", { class: "hint" }, "nothing read yet"),
      );
    }
    byId("comparison").textContent = "";
    byId("everyday").textContent = "";
  }

  /** Shows one frame under one policy, or under two. */
  show(spent: readonly Spent[]): void {
    for (const [index, card] of CARDS.entries()) {
      this.bodies[index]?.replaceChildren(...spent.flatMap((one, lane) => body(card, one, lane, spent.length > 1)));
    }
    byId("comparison").textContent = comparisonWords(spent);
    byId("everyday").textContent = spent[0] ? everydayWords(spent[0].saved) : "";
  }
}

function body(card: Card, { name, saved }: Spent, lane: number, named: boolean): HTMLElement[] {
  const [used, all] = [card.used(saved), card.all(saved)];
  const known = all > 0;
  const bar = make("div");
  bar.style.width = `${known ? Math.min(1, used / all) * 100 : 0}%`;
  const figure = make("span", { id: `saved-${card.id}${lane === 0 ? "" : "-beside"}` }, known ? card.words(used) : "–");
  const left = all - used;
  const rest = left > 0 ? `${card.words(left)} ${card.left} (${percent(left / all)})` : "nothing left out";
  const late = card.id === "rows" && saved.rowsLate > 0 ? `; ${saved.rowsLate} ${SENT_LATE}` : "";
  return [
    ...(named ? [make("h3", { class: "spent-name" }, name)] : []),
    make("p", { class: "figure" }, figure, " ", make("small", {}, known ? `of ${card.words(all)}` : "")),
    make("div", { class: "bar" }, bar),
    make("p", { class: "hint" }, known ? rest + late : "unknown for this network"),
  ];
}
