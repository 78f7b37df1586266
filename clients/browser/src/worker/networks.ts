/** The networks of this page, each loaded once, when a task first asks for it. */

import { type Certified, loadShipped, SHIPPED } from "rascanet-stream/shipped";

/** A name that no network of this page has. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
}

export class Networks {
  private readonly loaded = new Map<string, Promise<Certified>>();

  /** `load`: how one is loaded. */
  constructor(private readonly load: typeof loadShipped = loadShipped) {}

  /**
   * A network and its certificate's policy.
   *
   * @throws {LoadError} its files can't be read; the next call tries again.
   */
  async get(name: string): Promise<Certified> {
    const known = SHIPPED.find((shipped) => shipped === name);
    if (known === undefined) throw new NetworkError(`This page has no network ${name.slice(0, 40)}.`);
    const found = this.loaded.get(known);
    if (found !== undefined) return found;
    const loading = this.load(known);
    this.loaded.set(known, loading);
    loading.catch(() => this.loaded.delete(known));
    return loading;
  }
}
