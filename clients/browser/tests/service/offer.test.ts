import { describe, expect, it } from "vitest";
import { engineOf, enginesOf, fetchOffer } from "../../src/service/offer";

describe("the engine", () => {
  it("is the page's alone without a service, and the service's first with one", () => {
    expect(enginesOf({ alone: true, kernel: true })).toEqual(["page"]);
    expect(enginesOf({ alone: false, kernel: true })).toEqual(["service", "page"]);
    expect(enginesOf({ alone: false, kernel: false })).toEqual(["service"]);
  });

  it("is what the address asks for, where that can be", () => {
    const both = { alone: false, kernel: true };
    expect(engineOf(both, "?engine=page")).toBe("page");
    expect(engineOf(both, "?engine=cloud")).toBe("service");
    expect(engineOf({ alone: true, kernel: true }, "?engine=service")).toBe("page");
  });

  it("says so where a page without a service was built without its network", async () => {
    await expect(fetchOffer({ alone: true, kernel: false }, "")).rejects.toThrow("built without its network");
  });
});
