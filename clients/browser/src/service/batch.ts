/** Pictures scanned one after the other, and what came of each. Pure. */

/** What a decided picture came to. */
export interface Decided {
  kind: "decided";
  person: boolean;
  p_person: number;
  exited: boolean;
  /** Rows after which the decision stood. */
  rows: number;
  /** Of the frame's bursts, those that were not computed, 0..1. */
  notNeeded: number;
  /** Whether the whole frame says the same. */
  agrees: boolean;
}

export interface Failed {
  kind: "failed";
}

export type Result = Decided | Failed;

/** Sums over the pictures with a result. */
export interface BatchTotals {
  decided: number;
  failed: number;
  persons: number;
  exits: number;
  agreeing: number;
  /** Of the decided ones, on average; 0 where there is none. */
  notNeeded: number;
}

export class Batch<P> {
  private waiting: P[] = [];
  private readonly found = new Map<P, Result>();

  /** Pictures that wait for their turn. */
  get left(): number {
    return this.waiting.length;
  }

  get results(): ReadonlyMap<P, Result> {
    return this.found;
  }

  /** These pictures are next, and no others. */
  begin(pictures: readonly P[]): void {
    this.waiting = [...pictures];
  }

  next(): P | undefined {
    return this.waiting.shift();
  }

  stop(): void {
    this.waiting = [];
  }

  add(picture: P, result: Result): void {
    this.found.delete(picture); // the latest one comes last
    this.found.set(picture, result);
  }

  /** Forgets a picture and what came of it. */
  drop(picture: P): void {
    this.waiting = this.waiting.filter((each) => each !== picture);
    this.found.delete(picture);
  }

  /** Forgets every result, as they are of other settings. */
  forget(): void {
    this.found.clear();
  }

  static totals(found: Iterable<Result>): BatchTotals {
    const results = [...found];
    const decided = results.filter((result) => result.kind === "decided");
    const count = (holds: (result: Decided) => boolean) => decided.filter(holds).length;
    return {
      decided: decided.length,
      failed: results.length - decided.length,
      persons: count(({ person }) => person),
      exits: count(({ exited }) => exited),
      agreeing: count(({ agrees }) => agrees),
      notNeeded: decided.length === 0 ? 0 : decided.reduce((sum, { notNeeded }) => sum + notNeeded, 0) / decided.length,
    };
  }
}
