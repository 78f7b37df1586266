/**
 * From decisions frame by frame to *appeared* and *left*, with hysteresis so that single frames don't flicker.
 * Python has the same in clients/python/presence.py; tests/vectors/presence.json holds the two together.
 */

export interface Hysteresis {
  /** P(person) from which a frame speaks for a person, and up to which against one; between them it says nothing. */
  enter: number;
  leave: number;
  /** So many frames of one mind in a row turn the state. */
  appearFrames: number;
  leaveFrames: number;
}

export const DEFAULT_HYSTERESIS: Hysteresis = { enter: 0.55, leave: 0.45, appearFrames: 3, leaveFrames: 3 };

export type Turn = "appeared" | "left";

export class Presence {
  present = false;
  private streak = 0;

  /** @throws {RangeError} not 0 <= leave <= enter <= 1, or counts below 1. */
  constructor(private readonly hysteresis: Hysteresis = DEFAULT_HYSTERESIS) {
    const { enter, leave, appearFrames, leaveFrames } = hysteresis;
    if (!(0 <= leave && leave <= enter && enter <= 1)) {
      throw new RangeError(`hysteresis must be 0 <= leave <= enter <= 1, not leave ${leave}, enter ${enter}`);
    }
    if (!(appearFrames >= 1 && leaveFrames >= 1)) {
      throw new RangeError(`counts of frames must be 1 or more, not ${appearFrames} and ${leaveFrames}`);
    }
  }

  /** Takes a frame's P(person); what turned, if something did. */
  add(p_person: number): Turn | null {
    const { enter, leave, appearFrames, leaveFrames } = this.hysteresis;
    const against = this.present ? p_person <= leave : p_person >= enter;
    this.streak = against ? this.streak + 1 : 0;
    if (this.streak < (this.present ? leaveFrames : appearFrames)) return null;
    this.streak = 0;
    this.present = !this.present;
    return this.present ? "appeared" : "left";
  }
}
