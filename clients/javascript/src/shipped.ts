/** The weights that come with the package, each a file of its own that is fetched only when it is asked for. */

import { certifiedPolicy, type ExitPolicy, parsePolicy } from "./exit-policy.js";
import type { Network } from "./kernel.js";
import { LoadError, type LoadOptions, load, readText } from "./load.js";
import { BURST_ROWS } from "./weights.js";
import type { Policy } from "./wire.js";

// Each address is written out, because that is how bundlers find the files.
const FILES = {
  "105x120_int8": {
    weights: () => new URL("../weights/105x120_int8.safetensors", import.meta.url),
    certificate: () => new URL("../weights/105x120_int8.certificate.json", import.meta.url),
  },
  "210x240_int8": {
    weights: () => new URL("../weights/210x240_int8.safetensors", import.meta.url),
    certificate: () => new URL("../weights/210x240_int8.certificate.json", import.meta.url),
  },
  "105x120": {
    weights: () => new URL("../weights/105x120.safetensors", import.meta.url),
    certificate: () => new URL("../weights/105x120.certificate.json", import.meta.url),
  },
  "210x240": {
    weights: () => new URL("../weights/210x240.safetensors", import.meta.url),
    certificate: () => new URL("../weights/210x240.certificate.json", import.meta.url),
  },
} as const;

/** Networks that come with the package; of integers (int8) and of float32, named after the files of their weights. */
export type ShippedName = keyof typeof FILES;

export const SHIPPED = Object.keys(FILES) as ShippedName[];

function filesOf(name: ShippedName): (typeof FILES)[ShippedName] {
  if (Object.hasOwn(FILES, name)) return FILES[name];
  throw new LoadError(`the package has no network ${String(name).slice(0, 40)}; it has ${SHIPPED.join(", ")}`);
}

/** A network, and what its certificate promises. */
export interface Certified {
  network: Network;
  /** The policy `calibrated` of its certificate; `parsePolicy` takes `policy.wanted` beside other policies. */
  policy: ExitPolicy;
}

/** What is known of a network without its weights. */
export interface ShippedCertificate {
  /** SHA-256 of the weights. */
  weights: string;
  burstRows: number;
  /** The policy `calibrated`. */
  policy: Policy;
}

/**
 * The certificate that comes with weights: a small file, so that a program can offer networks before it loads one.
 *
 * @throws {LoadError} it can't be read, or there is no such network.
 */
export async function shippedCertificate(name: ShippedName): Promise<ShippedCertificate> {
  const address = filesOf(name).certificate();
  const said = certificateIn(await readText(address), address);
  return { weights: said.weights, burstRows: BURST_ROWS, policy: certifiedPolicy(said, said.weights) };
}

function certificateIn(text: string, address: URL): { weights: string } {
  try {
    const said = JSON.parse(text);
    if (typeof said?.weights === "string") return said;
  } catch {} // a host that has no such file may answer with a page
  throw new LoadError(`${address} is no certificate`);
}

/**
 * One of the package's own networks with its certificate.
 *
 * @throws {LoadError} the files can't be read, or there is no such network.
 */
export async function loadShipped(name: ShippedName, options: Omit<LoadOptions, "weights"> = {}): Promise<Certified> {
  const [network, { weights, policy }] = await Promise.all([
    load({ ...options, weights: filesOf(name).weights() }),
    shippedCertificate(name),
  ]);
  if (weights !== network.digest) throw new LoadError(`the certificate of ${name} is of other weights`);
  return { network, policy: parsePolicy(null, policy) };
}
