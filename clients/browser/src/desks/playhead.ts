/** Where the readout that is shown stands, in rows. Pure: times come as arguments, ms. */

export class Playhead {
  rows = 0;
  /** What is known of the readout: so many rows at that time. */
  private known = { rows: 0, atMs: 0 };
  private replayed: { rows: number; atMs: number } | null = null;

  get replaying(): boolean {
    return this.replayed !== null;
  }

  reset(): void {
    this.rows = 0;
    this.replayed = null;
  }

  /** The readout begins. */
  begin(nowMs: number): void {
    this.known = { rows: 0, atMs: nowMs };
  }

  /** So many rows are read; what comes again after a reconnection moves nothing back. */
  heard(rows: number, nowMs: number): void {
    this.known = { rows: Math.max(this.known.rows, rows), atMs: nowMs };
  }

  /** Stands still, and goes on from here. */
  hold(nowMs: number): void {
    this.known = { rows: this.rows, atMs: nowMs };
    this.replayed = null;
  }

  replay(from: number, nowMs: number): void {
    this.rows = from;
    this.replayed = { rows: from, atMs: nowMs };
  }

  seek(rows: number): void {
    this.replayed = null;
    this.rows = rows;
  }

  /** Follows a readout: a burst shows row by row before it is complete, and never further than it. */
  follow(nowMs: number, lineMs: number, burstRows: number, height: number): void {
    const { rows, atMs } = this.known;
    const burstEnd = (Math.floor(rows / burstRows) + 1) * burstRows;
    const ahead = lineMs > 0 && Number.isFinite(lineMs) ? (nowMs - atMs) / lineMs : 0;
    this.rows = Math.min(rows + ahead, burstEnd, height);
  }

  /** Advances a replay; false once it is at its end. */
  advance(nowMs: number, lineMs: number, end: number): boolean {
    if (this.replayed === null) return false;
    this.rows = Math.min(end, this.replayed.rows + (nowMs - this.replayed.atMs) / lineMs);
    if (this.rows < end) return true;
    this.replayed = null;
    return false;
  }
}
