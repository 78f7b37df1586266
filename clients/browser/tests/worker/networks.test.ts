import { describe, expect, it } from "vitest";
import { type Networks as Kind, NetworkError, Networks } from "../../src/worker/networks";

type Load = NonNullable<ConstructorParameters<typeof Kind>[0]>;

describe("the page's networks", () => {
  it("are loaded once each, and again after a failure", async () => {
    const asked: string[] = [];
    const answers = [Promise.reject(new Error("down")), Promise.resolve("small"), Promise.resolve("large")];
    const networks = new Networks(((name: string) => {
      asked.push(name);
      return answers.shift();
    }) as unknown as Load);
    await expect(networks.get("105x120")).rejects.toThrow("down");
    expect(await networks.get("105x120")).toBe("small");
    expect(await networks.get("105x120")).toBe("small");
    expect(await networks.get("210x240")).toBe("large");
    expect(asked).toEqual(["105x120", "105x120", "210x240"]);
  });

  it("are those that come with the package", async () => {
    await expect(new Networks().get("7x7")).rejects.toThrow(NetworkError);
  });
});
