import { describe, expect, it } from "vitest";
import { subprotocols } from "../src/connection.js";

describe("the subprotocols", () => {
  it("are the protocol alone where the service asks for no token", () => {
    expect(subprotocols("")).toEqual(["rascanet.v1"]);
  });

  it("carry a token in base64url without padding, as names of subprotocols may be", () => {
    for (const token of ["a", "ab", "abc", "s3cret?>~", "päß"]) {
      const [protocol, bearer] = subprotocols(token);
      expect(protocol).toBe("rascanet.v1");
      expect(bearer).toMatch(/^rascanet\.bearer\.[A-Za-z0-9_-]+$/);
      expect(Buffer.from(bearer?.split(".")[2] ?? "", "base64url").toString()).toBe(token);
    }
  });
});
