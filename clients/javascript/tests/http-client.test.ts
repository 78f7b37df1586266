import { describe, expect, it } from "vitest";
import { HttpClient, HttpError } from "../src/http-client.js";

interface Asked {
  url: string;
  init: RequestInit;
}

/** A service that says what it is told to, and notes what it was asked. */
function service(...answers: (Response | Error)[]): { client: HttpClient; asked: Asked[] } {
  const asked: Asked[] = [];
  const fetch = async (url: unknown, init: RequestInit = {}) => {
    asked.push({ url: String(url), init });
    const answer = answers.shift() ?? new Response("[]");
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return {
    client: new HttpClient("http://sensor:8000/", { bearer: "s3cret", fetch: fetch as typeof globalThis.fetch }),
    asked,
  };
}

const json = (content: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(content), { status, headers });
const picture = (name: string) => ({ name, content: new Blob([name]) });
const decision = { person: true, p_person: 0.9 };

describe("HttpClient", () => {
  it("asks with the token, at the address", async () => {
    const { client, asked } = service(json({ models: [{ variant: "105x120" }], policies: [] }));
    expect((await client.models()).models[0]?.variant).toBe("105x120");
    expect(asked[0]?.url).toBe("http://sensor:8000/v1/models");
    expect(asked[0]?.init.headers).toEqual({ Authorization: "Bearer s3cret" });
  });

  it("sends many pictures in several requests and gives each its result, in order", async () => {
    const { client, asked } = service(
      json({ results: Array(16).fill({ name: "x", ...decision }) }),
      json({ results: [{ name: "x", code: "unreadable_image", message: "no" }] }),
    );
    const names = Array.from({ length: 17 }, (_, index) => `${index}.jpg`);
    const results = await client.classify(names.map(picture), { variant: "105x120", policy: { name: "never" } });
    expect(results.map(({ name }) => name)).toEqual(names);
    expect(results[16]).toMatchObject({ code: "unreadable_image" });
    expect(asked).toHaveLength(2);
    expect(asked[0]?.url).toContain("variant=105x120&policy=%7B%22name%22%3A%22never%22%7D");
    const body = asked[0]?.init.body;
    expect(body instanceof FormData && body.getAll("files").length).toBe(16);
  });

  it("takes the refusal of a lone picture as its result", async () => {
    const { client } = service(json({ code: "unreadable_image", detail: "no picture" }, 422));
    const [result] = await client.classify([picture("a.txt")]);
    expect(result).toMatchObject({ name: "a.txt", code: "unreadable_image" });
  });

  it("asks a busy service again", async () => {
    const { client, asked } = service(
      json({ code: "overloaded" }, 503, { "retry-after": "0" }),
      json({ results: [decision] }),
    );
    expect(await client.classify([picture("a.jpg")])).toEqual([{ name: "a.jpg", ...decision }]);
    expect(asked).toHaveLength(2);
  });

  it.each([
    ["unreachable", 0, new TypeError("no route")],
    ["unauthorized", 401, json({ code: "unauthorized", detail: "who?" }, 401)],
    ["refused", 502, new Response("<html>", { status: 502 })],
    ["bad_answer", 200, new Response("<html>")],
    ["bad_answer", 200, json({ hello: 1 })],
  ])("says %s (%i)", async (code, status, answer) => {
    const asking = service(answer).client.models();
    await expect(asking).rejects.toThrow(HttpError);
    await expect(asking).rejects.toMatchObject({ code, status });
  });
});
