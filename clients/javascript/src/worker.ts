/**
 * The network in a web worker: `import "rascanet-stream/worker"` in a worker's file is all of it. `RemoteNetwork` on the
 * other side speaks to it.
 */

import type { Network } from "./kernel.js";
import { load } from "./load.js";
import type { Answer, Request } from "./remote-network.js";
import { scanFrame } from "./scan.js";

let network: Promise<Network> | null = null;

async function answer(request: Request): Promise<Answer["result"]> {
  if (request.kind === "load") {
    network = load(request.options);
    const { config, digest, arithmetic } = await network;
    return { kind: "loaded", config, digest, arithmetic };
  }
  if (network === null) throw new Error("load comes first");
  return { kind: "scanned", scan: scanFrame(await network, request.frame, request.policy) };
}

const port = globalThis as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(answer: Answer): void;
};

port.onmessage = ({ data: request }) => {
  answer(request).then(
    (result) => port.postMessage({ id: request.id, result }),
    (error: Error) => port.postMessage({ id: request.id, result: { kind: "fault", message: error.message } }),
  );
};
