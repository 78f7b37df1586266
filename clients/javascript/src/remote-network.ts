/** A network in a web worker, from the page's side; `worker.ts` is the other side. */

import type { Frame } from "./frame.js";
import type { LoadOptions } from "./load.js";
import type { ScannedFrame } from "./scan.js";
import type { ShippedName } from "./shipped.js";
import type { Arithmetic, NetworkConfig } from "./weights.js";
import type { Policy } from "./wire.js";

/** What can be handed to a worker: a network that comes with the package, or addresses as text, bytes, a module. */
export type RemoteOptions = Omit<LoadOptions, "weights" | "wasm"> & {
  wasm?: string | ArrayBuffer | Uint8Array | WebAssembly.Module;
} & ({ shipped: ShippedName } | { weights: string | ArrayBuffer | Uint8Array });

type Ask = { kind: "load"; options: RemoteOptions } | { kind: "scan"; frame: Frame; policy: Policy | null };
export type Request = { id: number } & Ask;

export interface Loaded {
  kind: "loaded";
  config: NetworkConfig;
  digest: string;
  arithmetic: Arithmetic;
}

export interface Answer {
  id: number;
  result: Loaded | { kind: "scanned"; scan: ScannedFrame } | { kind: "fault"; name: string; message: string };
}

/** The part of a Worker that is used here. */
export interface Port {
  postMessage(message: Request): void;
  onmessage: ((event: MessageEvent<Answer>) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

export class RemoteNetwork {
  private readonly waiting = new Map<number, { resolve(result: Answer["result"]): void; reject(error: Error): void }>();
  private next = 0;
  private answered = false;
  /** Why the worker never came up. */
  private fault: Error | null = null;

  /** `port`: a worker whose file imports `rascanet-stream/worker`; nobody else may listen to it. */
  constructor(private readonly port: Port) {
    port.onmessage = ({ data: { id, result } }) => {
      this.answered = true;
      const asked = this.waiting.get(id);
      this.waiting.delete(id);
      if (result.kind === "fault") asked?.reject(Object.assign(new Error(result.message), { name: result.name }));
      else asked?.resolve(result);
    };
    port.onmessageerror = () => this.fail("an answer of the worker can't be read");
    port.onerror = ({ message }) => this.fail(message || "its file can't be loaded");
  }

  /** What `load` or `loadShipped` does, in the worker; relative addresses are the worker's. Errors keep name and message. */
  async load(options: RemoteOptions): Promise<Omit<Loaded, "kind">> {
    const { kind: _, ...loaded } = (await this.ask({ kind: "load", options })) as Loaded;
    return loaded;
  }

  /** What `scanFrame` does, in the worker; where no policy is named, that of the certificate, if there is one. */
  async scan(frame: Frame, policy: Policy | null = null): Promise<ScannedFrame> {
    const { scan } = (await this.ask({ kind: "scan", frame, policy })) as { scan: ScannedFrame };
    return scan;
  }

  /** A worker that fails before its first answer will never give one. */
  private fail(reason: string): void {
    const fault = new Error(`the network's worker failed: ${reason}`);
    if (!this.answered) this.fault = fault;
    for (const { reject } of this.waiting.values()) reject(fault);
    this.waiting.clear();
  }

  private ask(request: Ask): Promise<Answer["result"]> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      if (this.fault) throw this.fault;
      this.port.postMessage({ id, ...request });
      this.waiting.set(id, { resolve, reject });
    });
  }
}
