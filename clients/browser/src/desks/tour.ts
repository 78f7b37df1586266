/**
 * The samples one after the other, for somebody who has just come and has not chosen anything yet. Pure.
 *
 * It goes round a few times and then rests: a page that is left alone asks nothing more of the service.
 */

export const TOUR_ROUNDS = 5;
/** How long a decision can be looked at, ms. */
export const TOUR_REST_MS = 3_500;

export class Tour<P> {
  private at = 0;
  private over = false;

  constructor(private readonly pictures: readonly P[]) {}

  /** The next picture; undefined once somebody has chosen, or after the last round. */
  next(): P | undefined {
    if (this.over || this.at >= TOUR_ROUNDS * this.pictures.length) return undefined;
    const picture = this.pictures[this.at % this.pictures.length];
    this.at += 1;
    return picture;
  }

  end(): void {
    this.over = true;
  }

  get going(): boolean {
    return !this.over;
  }
}
