/** Asks a service over HTTP what it serves, and what it thinks of pictures (docs/http.md). */

import type { Policy } from "./wire.js";

/** A network that the service serves. */
export interface ServedModel {
  variant: string;
  height: number;
  width: number;
  burst_rows: number;
  bursts_per_frame: number;
  /** SHA-256 of the weights. */
  weights: string;
  /** The policy of the certificate that goes with the weights, if there is one. */
  calibrated: Policy | null;
  /** What audits say about that certificate's promise so far; none where no exits are checked. */
  watch?: CertificateWatch | null;
  /** The policy of streams that name none. */
  stream_policy: string;
}

export interface CertificateWatch {
  /** Audits whose whole frame was decided as at the exit, and otherwise. */
  agreed: number;
  lost: number;
  /** Audits whose rest the sensor did not send, and that the connection did not outlive. */
  unsent: number;
  interrupted: number;
  /** Chance that a promise that holds is ever refuted, and that the bound is wrong. */
  alpha: number;
  log10_evidence: number;
  /** Upper bound of the share of decisions lost to early exits. */
  risk_upper: number;
  /** Whether the promise is refuted. */
  alarm: boolean;
}

export interface PolicyKind {
  name: string;
  parameters: Record<string, number>;
}

export interface Models {
  models: ServedModel[];
  policies: PolicyKind[];
}

/** A decision on a picture. */
export interface PictureDecision {
  name: string;
  person: boolean;
  p_person: number;
  logits: [number, number];
  exited: boolean;
  burst_index: number;
  processed: number;
  skipped: number;
  unread: number;
  processed_ratio: number;
  macs: number;
  elapsed_us: number;
  /** P(person) after each burst, null for a skipped one; where it was asked for. */
  curve?: (number | null)[];
}

/** A picture that was refused. */
export interface PictureRefusal {
  name: string;
  code: string;
  message: string;
}

/** A file of a picture. */
export interface PictureFile {
  name: string;
  content: Blob;
}

export interface ClassifyOptions {
  /** The first one served, if not named. */
  variant?: string;
  /** Read whole, if not named. */
  policy?: Policy;
  curve?: boolean;
}

/** `unreachable`: no answer; `bad_answer`: no answer of such a service; else the service's own code. */
export class HttpError extends Error {
  override readonly name = "HttpError";

  constructor(
    readonly code: string,
    message: string,
    /** HTTP status; 0 where there was no answer. */
    readonly status = 0,
  ) {
    super(message);
  }
}

export interface HttpOptions {
  /** Token of the service; empty where it asks for none. */
  bearer?: string;
  limitMs?: number;
  fetch?: typeof globalThis.fetch;
}

const LIMIT_MS = 10_000;
/** Most pictures in a request; they share the cost of the request. */
const TOGETHER = 16;
/** A service that is busy is asked again so often, and waited for so long. */
const ATTEMPTS = 5;
const MOST_WAIT_S = 30;

export class HttpClient {
  private readonly base: string;

  /** `url`: address of the service; empty: the server that sent this page. */
  constructor(
    url: string,
    private readonly options: HttpOptions = {},
  ) {
    this.base = url.replace(/\/+$/, "");
  }

  /** The networks and policies that the service offers. */
  async models(): Promise<Models> {
    const models = (await this.json("/v1/models")) as Partial<Models> | null;
    if (Array.isArray(models?.models) && Array.isArray(models.policies)) return models as Models;
    throw new HttpError("bad_answer", `${this.base || "The server"} is not such a service.`, 200);
  }

  /**
   * Decisions on pictures, in their order; one that can't be read has a refusal.
   *
   * @throws {HttpError} no service answers, or it refuses them all.
   */
  async classify(
    pictures: readonly PictureFile[],
    { variant, policy, curve = false }: ClassifyOptions = {},
  ): Promise<(PictureDecision | PictureRefusal)[]> {
    const query = new URLSearchParams({ reports: curve ? "curve" : "decision" });
    if (variant !== undefined) query.set("variant", variant);
    if (policy !== undefined) query.set("policy", JSON.stringify(policy));
    const results: (PictureDecision | PictureRefusal)[] = [];
    for (let start = 0; start < pictures.length; start += TOGETHER) {
      const part = pictures.slice(start, start + TOGETHER);
      const form = new FormData();
      for (const { name, content } of part) form.append("files", content, name);
      try {
        const said = (await this.json(`/v1/classify?${query}`, form)) as { results?: typeof results } | null;
        if (said?.results?.length !== part.length)
          throw new HttpError("bad_answer", "A result for each was expected.", 200);
        results.push(...said.results.map((result, at) => ({ ...result, name: part[at]?.name ?? "" })));
      } catch (error) {
        // The only picture of a request is refused with the request.
        const [picture] = part;
        if (!(error instanceof HttpError) || !OF_PICTURES.has(error.code) || part.length > 1 || !picture) throw error;
        results.push({ name: picture.name, code: error.code, message: error.message });
      }
    }
    return results;
  }

  /**
   * What lies at a path of the service.
   *
   * @throws {HttpError} no answer, or a refusal.
   */
  async get(path: string): Promise<Response> {
    return this.ask(path);
  }

  /** @throws {HttpError} no answer, a refusal, or something else than JSON. */
  async json(path: string, body?: FormData): Promise<unknown> {
    const response = await this.ask(path, body);
    try {
      return await response.json();
    } catch {
      throw new HttpError("bad_answer", "The server answered with something that is not understood here.", 200);
    }
  }

  private async ask(path: string, body?: FormData): Promise<Response> {
    const { bearer = "", limitMs = LIMIT_MS, fetch = globalThis.fetch } = this.options;
    const headers: Record<string, string> = bearer === "" ? {} : { Authorization: `Bearer ${bearer}` };
    for (let attempt = 1; ; attempt++) {
      let response: Response;
      try {
        const signal = AbortSignal.timeout(limitMs);
        response = await fetch(this.base + path, { headers, signal, ...(body && { method: "POST", body }) });
      } catch {
        throw new HttpError("unreachable", "The server can’t be reached.");
      }
      if (response.ok) return response;
      const waitS = Number(response.headers.get("retry-after") ?? "1");
      const busy = body !== undefined && (response.status === 429 || response.status === 503);
      if (!busy || attempt >= ATTEMPTS || !(waitS <= MOST_WAIT_S)) throw await refusal(path, response);
      await new Promise((resolve) => setTimeout(resolve, waitS * 1000));
    }
  }
}

/** Refusals that concern the pictures of one request alone. */
const OF_PICTURES: ReadonlySet<string> = new Set([
  "image_too_large",
  "image_too_many_pixels",
  "unreadable_image",
  "request_too_large",
]);

/** The reason in a problem document, if the refusal carries one. */
async function refusal(path: string, response: Response): Promise<HttpError> {
  const { status } = response;
  let problem: { code?: unknown; detail?: unknown } | null = null;
  try {
    problem = await response.json();
  } catch {
    // A proxy's page, perhaps; the status has to do.
  }
  const code = typeof problem?.code === "string" ? problem.code : "refused";
  const detail = typeof problem?.detail === "string" ? `: ${problem.detail.slice(0, 1000)}` : ".";
  return new HttpError(code, `The server refused ${path.split("?")[0]} with HTTP status ${status}${detail}`, status);
}
