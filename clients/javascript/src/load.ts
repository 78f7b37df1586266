/** Weights and a kernel from wherever they lie, to a network: what most programs need of this package. */

import { bestForm, compileKernel, createNetwork, type Form, isKernel, type Network } from "./kernel.js";
import { type Arithmetic, readWeights, WeightsError } from "./weights.js";

/** Where bytes come from: an address, an answer of `fetch`, or the bytes themselves. */
export type Source = URL | string | Response | ArrayBuffer | Uint8Array;

export interface LoadOptions {
  /** A file of weights, as `rascanet train` or `rascanet quantize` writes it; two come with the package (`./weights/*`). */
  weights: Source;
  /** The kernel, where it is not the package's own file beside this module. */
  wasm?: Source | WebAssembly.Module;
  /** Which of the kernel's forms; without one the fastest that this engine takes. */
  simd?: Form;
}

/** Something that could not be fetched or read; the message says from where, and what was expected. */
export class LoadError extends Error {
  override readonly name = "LoadError";
}

// Each address is written out, because that is how bundlers find the files.
const KERNELS: Readonly<Record<Arithmetic, Partial<Record<Form, () => URL>>>> = {
  float32: {
    relaxed: () => new URL("../wasm/float32-relaxed.wasm", import.meta.url),
    simd128: () => new URL("../wasm/float32-simd128.wasm", import.meta.url),
    scalar: () => new URL("../wasm/float32-scalar.wasm", import.meta.url),
  },
  int8: {
    simd128: () => new URL("../wasm/int8-simd128.wasm", import.meta.url),
    scalar: () => new URL("../wasm/int8-scalar.wasm", import.meta.url),
  },
};

/**
 * A network ready to run. The module is compiled where this is called: under a policy without `'wasm-unsafe-eval'` that
 * has to be a worker from the same origin.
 *
 * @throws {LoadError} an address that can't be fetched, or without the file that was expected; no WebAssembly here.
 * @throws {WeightsError} bytes that are no weights.
 */
export async function load({ weights, wasm, simd }: LoadOptions): Promise<Network> {
  if (globalThis.WebAssembly === undefined) {
    throw new LoadError(
      "There is no WebAssembly here: a browser may have switched it off, as in Safari's lockdown mode",
    );
  }
  const file = readWeights(await bytesOf(weights));
  const { arithmetic } = file;
  const form = simd ?? bestForm(arithmetic);
  const own = Object.hasOwn(KERNELS[arithmetic], form) ? KERNELS[arithmetic][form] : undefined;
  if (wasm === undefined && own === undefined) {
    const forms = Object.keys(KERNELS[arithmetic]).join(", ");
    throw new WeightsError(`there is no ${form} kernel for ${arithmetic} weights; there is ${forms}`);
  }
  const kernel = await kernelOf(wasm ?? (own as () => URL)());
  if (!isKernel(kernel))
    throw new LoadError("the WebAssembly module is no kernel, as the package's folder wasm has them");
  return createNetwork(file, kernel);
}

const kernels = new Map<string, Promise<WebAssembly.Module>>();

/** Compiled once for each address. */
function kernelOf(source: Source | WebAssembly.Module): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return Promise.resolve(source);
  if (!(source instanceof URL) && typeof source !== "string") return compiled(source);
  const address = String(source);
  const known = kernels.get(address);
  if (known !== undefined) return known;
  const made = compiled(source);
  kernels.set(address, made);
  made.catch(() => kernels.delete(address)); // the next call tries again
  return made;
}

async function compiled(source: Source): Promise<WebAssembly.Module> {
  const content = await contentOf(source);
  try {
    return await compileKernel(content instanceof Uint8Array ? content.slice() : content);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    const where = source instanceof URL || typeof source === "string" ? `${source}: ` : "";
    throw new LoadError(`${where}no WebAssembly that this engine takes (${error.message})`);
  }
}

async function bytesOf(source: Source): Promise<ArrayBuffer | Uint8Array> {
  const content = await contentOf(source);
  if (!(content instanceof Response)) return content;
  try {
    return await content.arrayBuffer();
  } catch (error) {
    throw unread(content.url || "the answer", error);
  }
}

/**
 * The text at an address.
 *
 * @throws {LoadError} it can't be read.
 */
export async function readText(source: URL): Promise<string> {
  return new TextDecoder().decode(await bytesOf(source));
}

/** Follows an address. Node's `fetch` reads no files, so there they are read by its own means. */
async function contentOf(source: Source): Promise<Response | ArrayBuffer | Uint8Array> {
  if (source instanceof Response) return answered(source, source.url);
  if (source instanceof ArrayBuffer || source instanceof Uint8Array) return source;
  if (!(source instanceof URL) && typeof source !== "string") {
    const found = Object.prototype.toString.call(source).slice("[object ".length, -1);
    throw new LoadError(`expected an address, an answer of fetch, an ArrayBuffer or a Uint8Array, not ${found}`);
  }
  const address = String(source);
  try {
    if (address.startsWith("file:")) {
      const files = nodeFiles();
      if (files !== null) return await files.readFile(new URL(address));
    }
    return answered(await fetch(source), address);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw unread(address, error);
  }
}

function unread(source: string, error: unknown): LoadError {
  return new LoadError(`${source} can't be read (${error instanceof Error ? error.message : error})`);
}

function answered(response: Response, address: string): Response {
  if (response.ok) return response;
  throw new LoadError(`${address} can't be read: HTTP status ${response.status}`);
}

interface NodeFiles {
  readFile(address: URL): Promise<Uint8Array>;
}

/** Node's files by name at run time, since an import of them would trouble bundlers for browsers. */
function nodeFiles(): NodeFiles | null {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  return (process?.getBuiltinModule?.("node:fs/promises") ?? null) as NodeFiles | null;
}
