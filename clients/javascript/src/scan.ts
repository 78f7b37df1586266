/** One frame under one exit policy: the bursts that are processed, and the decision. model/scan.py is the same in Python. */

import { addPoint, type Curve, emptyCurve } from "./curve.js";
import { type ExitPolicy, PERSON_FROM, type PolicyState, policyOf, START } from "./exit-policy.js";
import { checkFrame, type Frame, rgbBursts } from "./frame.js";
import type { Network } from "./kernel.js";
import { BURST_ROWS } from "./weights.js";
import type { Policy } from "./wire.js";

/** Progress of the reading of one frame. */
export class FrameScan {
  /** The next burst to process; `burstsPerFrame` once none is left. */
  nextBurst = 0;
  /** The last burst processed; -1 before the first. */
  lastBurst = -1;
  /** P(person) after `lastBurst`. */
  p_person = 0;
  processed = 0;
  skipped = 0;
  /** True if the policy ended the scan before the end of the frame. */
  exited = false;
  private policyState: PolicyState = START;

  constructor(
    readonly burstsPerFrame: number,
    readonly policy: ExitPolicy,
  ) {}

  get decided(): boolean {
    return this.exited || this.nextBurst === this.burstsPerFrame;
  }

  get person(): boolean {
    return this.p_person >= PERSON_FROM;
  }

  /** Bursts after the decision, which need not be read; 0 before the decision. */
  get unread(): number {
    return this.decided ? this.burstsPerFrame - this.processed - this.skipped : 0;
  }

  /** Takes the network's output for burst `nextBurst` and asks the policy; the burst that it skips now, or null. */
  advance(p_person: number, confidence: number): number | null {
    this.lastBurst = this.nextBurst;
    this.p_person = p_person;
    this.processed += 1;
    this.nextBurst += 1;
    if (!this.policy.acts || this.decided) return null;
    const seen = { share: this.nextBurst / this.burstsPerFrame, p_person, confidence };
    const [ruling, state] = this.policy.rule(seen, this.policyState);
    this.policyState = state;
    if (ruling === "exit") this.exited = true;
    if (ruling !== "skip_next") return null;
    this.skipped += 1;
    this.nextBurst += 1;
    return this.nextBurst - 1;
  }
}

/** A decision on a frame, and what led to it; the fields of PROTOCOL.md's `decision`. */
export interface ScannedFrame {
  person: boolean;
  p_person: number;
  /** The last burst processed, on which the decision rests. */
  burst_index: number;
  exited: boolean;
  processed: number;
  skipped: number;
  unread: number;
  curve: Curve;
}

/** What a scan came to. */
export function decisionOf(scan: FrameScan): Omit<ScannedFrame, "curve"> {
  const { person, p_person, lastBurst: burst_index, exited, processed, skipped, unread } = scan;
  return { person, p_person, burst_index, exited, processed, skipped, unread };
}

/** One burst of a frame through network and policy: the state and the curve advance; the burst that is skipped now, or null. */
export function scanBurst(
  network: Network,
  frame: Frame,
  scan: FrameScan,
  hidden: ReturnType<Network["initialHidden"]>,
  curve: Curve,
): number | null {
  const burst = scan.nextBurst;
  const [result] = network.step(rgbBursts(frame, burst, 1, BURST_ROWS), hidden);
  if (result === undefined) throw new RangeError("a burst gives one result");
  const { pPerson: p_person, confidence } = result;
  addPoint(curve, { burst, p_person, confidence });
  const skipped = scan.advance(p_person, confidence);
  if (skipped !== null) curve.skipped.push(skipped);
  return skipped;
}

/**
 * Reads a whole frame burst by burst, as a stream would.
 *
 * `policy`: its JSON form, or a policy that `parsePolicy` gave; as published where none is named.
 *
 * @throws {RangeError} a frame of another size than the network's, or that its samples don't fill.
 * @throws {PolicyError} a policy that there is not.
 */
export function scanFrame(network: Network, frame: Frame, policy: Policy | ExitPolicy | null = null): ScannedFrame {
  checkFrame(frame, network.config);
  const scan = new FrameScan(network.burstsPerFrame, policyOf(policy));
  const hidden = network.initialHidden();
  const curve = emptyCurve(network.burstsPerFrame, BURST_ROWS);
  while (!scan.decided) scanBurst(network, frame, scan, hidden, curve);
  return { ...decisionOf(scan), curve };
}
