/**
 * The life of a scan: `empty -> opening -> reading -> decided`, as a table. Pure.
 *
 * A scan is opened (its picture is fetched and cut down to a frame), read (its bursts go to the service) and decided.
 * From every phase another picture can be opened. While one is opened, the decided frame before it stays on the screen:
 * a file that is no picture takes nothing away.
 */

export type Phase = "empty" | "opening" | "reading" | "decided";

/**
 * `open`: a picture was chosen; `fail`: it came to nothing; `expose`: its frame is there; `start`: a stream begins;
 * `decide`: every policy has its decision; `pause` and `go`: the readout stands still, goes on; `clear`: nothing is left.
 */
export type ScanEvent = "open" | "fail" | "expose" | "start" | "decide" | "pause" | "go" | "clear";

export interface ScanState {
  readonly phase: Phase;
  /** A decided frame is on the screen, whatever the phase. */
  readonly shown: boolean;
  /** The readout stands still, or will at its first burst. */
  readonly paused: boolean;
}

export const EMPTY: ScanState = { phase: "empty", shown: false, paused: false };

type Step = (state: ScanState) => ScanState;

const to =
  (change: Partial<ScanState>): Step =>
  (state) => ({ ...state, ...change });
const open = to({ phase: "opening", paused: false });
const decide = to({ phase: "decided", shown: true, paused: false });
const fallBack: Step = ({ shown }) => ({ phase: shown ? "decided" : "empty", shown, paused: false });
const clear: Step = () => EMPTY;
const pause = to({ paused: true });
const go = to({ paused: false });
const stay: Step = (state) => state;

/** What may happen in which phase; whatever is not listed is a fault of the page. */
const LEGAL: Record<Phase, Partial<Record<ScanEvent, Step>>> = {
  empty: { open, clear },
  opening: { open, clear, pause, expose: to({ shown: false }), start: to({ phase: "reading" }), fail: fallBack },
  // Each of a scan's streams says that it starts. A threshold moved in mid-scan decides from the curves at hand.
  reading: { open, clear, pause, go, start: stay, decide, fail: fallBack },
  // A decision can be worked out again, for other thresholds.
  decided: { open, clear, decide },
};

/** An event that can't come in this phase. */
export class ScanLifeError extends Error {
  override readonly name = "ScanLifeError";
}

/**
 * The state after an event.
 *
 * @throws {ScanLifeError} for an event that is not legal in the phase; the state is as before.
 */
export function next(state: ScanState, event: ScanEvent): ScanState {
  const step = LEGAL[state.phase][event];
  if (step === undefined) throw new ScanLifeError(`a scan that is ${state.phase} can't ${event}`);
  return step(state);
}

/** What can be done with a scan. */
export interface Abilities {
  /** Something is going on that can be stopped. */
  stop: boolean;
  /** The button that holds the readout, or lets it go. */
  pause: "Pause" | "Go on" | "Play";
  pauseEnabled: boolean;
  /** One burst on. */
  step: boolean;
  /** Back, replay, the slider of rows. */
  wind: boolean;
  save: boolean;
}

export function abilities(state: ScanState, replaying: boolean, hasPicture: boolean): Abilities {
  const { phase, paused } = state;
  const decided = phase === "decided";
  const moving = (phase === "reading" && !paused) || replaying;
  return {
    stop: phase === "opening" || (phase === "reading" && !paused),
    pause: moving ? "Pause" : decided ? "Play" : "Go on",
    pauseEnabled: phase === "reading" || decided,
    step: phase === "reading" || decided || (phase === "empty" && hasPicture),
    wind: decided,
    save: decided,
  };
}
