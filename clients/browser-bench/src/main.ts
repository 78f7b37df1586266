/** The page: a run, its tables, a link to them, and the figures as JSON. */

import { VARIANTS } from "./contenders.js";
import { fastestOther, fromText, median, timesAsFast, toText } from "./figures.js";
import { type Measured, measure, PLAN, type Plan, type Report } from "./measure.js";

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

const start = element<HTMLButtonElement>("start");
const copy = element<HTMLButtonElement>("copy");
const save = element<HTMLButtonElement>("save");
const status = element("status");
const tables = element("tables");

/** What the address asks for: `variants`, `loads`, `rounds`, `turn`; anything else stays as it is. */
function planned(asked: URLSearchParams): Plan {
  const count = (name: string, otherwise: number) => {
    const value = Number(asked.get(name));
    return Number.isSafeInteger(value) && value >= 1 && value <= 1000 ? value : otherwise;
  };
  const named = VARIANTS.filter((variant) => asked.getAll("variant").includes(variant));
  return {
    variants: named.length ? named : PLAN.variants,
    loads: count("loads", PLAN.loads),
    rounds: count("rounds", PLAN.rounds),
    turnMs: count("turn", PLAN.turnMs),
  };
}

const HEADINGS = ["one worker each", "µs a burst", "times as fast", "ms to load", "kB fetched"];

function cells(row: HTMLTableRowElement, texts: readonly string[], scope: "row" | "col"): void {
  for (const [index, text] of texts.entries()) {
    const heads = index === 0 || scope === "col";
    const cell = document.createElement(heads ? "th" : "td");
    if (heads) cell.scope = scope;
    cell.textContent = text;
    row.append(cell);
  }
}

function figures(one: Measured, other: Measured | undefined): string[] {
  if (one.missing !== undefined) return [one.name, one.missing];
  const us = median(one.usPerBurst);
  const times = other ? `${timesAsFast(one.usPerBurst, other.usPerBurst).toFixed(1)}` : "–";
  return [one.name, us.toFixed(1), times, median(one.loadMs).toFixed(1), (one.bytes / 1000).toFixed(0)];
}

function table(variant: string, contenders: readonly Measured[]): HTMLElement {
  const other = fastestOther(contenders);
  const made = document.createElement("table");
  const caption = made.createCaption();
  caption.textContent = `Step of ${variant}: median of the rounds${other ? `; times as fast as ${other.name}` : ""}`;
  cells(made.createTHead().insertRow(), HEADINGS, "col");
  const body = made.createTBody();
  for (const contender of contenders) cells(body.insertRow(), figures(contender, other), "row");
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", `Step of ${variant}`);
  scroll.append(made);
  return scroll;
}

function show(report: Report): void {
  tables.replaceChildren(...report.variants.map(({ variant, contenders }) => table(variant, contenders)));
  const json = JSON.stringify(report, null, 1);
  save.onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([json], { type: "application/json" }));
    link.download = "browser-bench.json";
    link.click();
    URL.revokeObjectURL(link.href);
  };
  tables.dataset.report = json;
  save.hidden = copy.hidden = false;
  copy.onclick = async () => {
    const link = new URL(location.href);
    link.hash = toText(report);
    link.search = "";
    try {
      await navigator.clipboard.writeText(link.href);
      status.textContent = "The link is in the clipboard.";
    } catch {
      location.hash = link.hash; // no clipboard here: the address bar has the link
      status.textContent = "The link is in the address bar.";
    }
  };
}

async function run(): Promise<void> {
  start.disabled = true;
  try {
    const report = await measure(planned(new URLSearchParams(location.search)), (words) => {
      status.textContent = words;
    });
    show(report);
    status.textContent = `Measured on ${report.cores} cores. ${report.agent}`;
  } catch (error) {
    status.textContent = `The measurement ended: ${error instanceof Error ? error.message : error}`;
    document.body.dataset.failed = "";
  }
  start.disabled = false;
}

start.onclick = run;

const linked = fromText(location.hash.slice(1));
if (linked) {
  show(linked);
  status.textContent = `Figures of a link, measured on ${linked.cores} cores. ${linked.agent}`;
} else if (location.hash) {
  status.textContent = "The link holds no figures. Measure your own.";
}
