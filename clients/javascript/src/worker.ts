/**
 * The network in a web worker: `import "rascanet-stream/worker"` in a worker's file is all of it. `RemoteNetwork` on the
 * other side speaks to it.
 */

import { parsePolicy } from "./exit-policy.js";
import type { Network } from "./kernel.js";
import { load } from "./load.js";
import type { Answer, RemoteOptions, Request } from "./remote-network.js";
import { scanFrame } from "./scan.js";
import { loadShipped } from "./shipped.js";
import type { Policy } from "./wire.js";

interface Loaded {
  network: Network;
  certified: Policy | null;
}

let loaded: Promise<Loaded> | null = null;

async function find(options: RemoteOptions): Promise<Loaded> {
  if (!("shipped" in options)) return { network: await load(options), certified: null };
  const { shipped, ...rest } = options;
  const { network, policy } = await loadShipped(shipped, rest);
  return { network, certified: policy.wanted };
}

async function answer(request: Request): Promise<Answer["result"]> {
  if (request.kind === "load") {
    loaded = find(request.options);
    const { config, digest, arithmetic } = (await loaded).network;
    return { kind: "loaded", config, digest, arithmetic };
  }
  if (loaded === null) throw new Error("load comes first");
  const { network, certified } = await loaded;
  return { kind: "scanned", scan: scanFrame(network, request.frame, parsePolicy(request.policy, certified)) };
}

const port = globalThis as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(answer: Answer): void;
};

port.onmessage = ({ data: request }) => {
  answer(request).then(
    (result) => port.postMessage({ id: request.id, result }),
    ({ name, message }: Error) => port.postMessage({ id: request.id, result: { kind: "fault", name, message } }),
  );
};
