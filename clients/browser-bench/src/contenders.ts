/** Kernels and runtimes that are measured beside each other, and what page and worker tell each other of them. */

/** Ours by arithmetic and form, as the package names them; onnxruntime-web by the form of the exported step. */
export type Contender =
  | { runtime: "ours"; arithmetic: "float32" | "int8"; form: "scalar" | "simd128" | "relaxed" }
  | { runtime: "onnxruntime-web"; form: "conv" | "gemm" };

export const CONTENDERS: readonly Contender[] = [
  { runtime: "ours", arithmetic: "float32", form: "relaxed" },
  { runtime: "ours", arithmetic: "float32", form: "simd128" },
  { runtime: "ours", arithmetic: "float32", form: "scalar" },
  { runtime: "ours", arithmetic: "int8", form: "simd128" },
  { runtime: "onnxruntime-web", form: "conv" },
  { runtime: "onnxruntime-web", form: "gemm" },
];

const FORMS = { relaxed: "relaxed SIMD", simd128: "SIMD", scalar: "scalar" } as const;

export function nameOf(contender: Contender): string {
  if (contender.runtime === "onnxruntime-web") return `onnxruntime-web, ${contender.form} form`;
  return `ours, ${contender.arithmetic}, ${FORMS[contender.form]}`;
}

export const VARIANTS = ["105x120", "210x240"] as const;
export type Variant = (typeof VARIANTS)[number];

/** Rows of one burst: noise, the same in every run. */
export function burstOf(variant: Variant): Uint8Array<ArrayBuffer> {
  const width = Number(variant.slice(variant.indexOf("x") + 1));
  let state = 1;
  return Uint8Array.from({ length: 5 * width * 3 }, () => {
    state = (state * 48271) % 0x7fffffff;
    return state;
  });
}

/** Advances a state of its own by a burst; logits of no person and person. */
export type Step = (rows: Uint8Array<ArrayBuffer>) => readonly number[] | Promise<readonly number[]>;

export type Request =
  /** Fetches and compiles everything, and makes the first step. */
  | { type: "load"; contender: Contender; variant: Variant; onnx: string }
  /** Steps for so long. */
  | { type: "turn"; ms: number };

export type Reply =
  | { type: "loaded"; ms: number; bytes: number; logits: readonly number[] }
  | { type: "turned"; usPerBurst: number }
  /** Something that this browser or this copy of the page lacks. */
  | { type: "missing"; reason: string };
