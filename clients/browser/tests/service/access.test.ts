import { describe, expect, it } from "vitest";
import { Access } from "../../src/service/access";

function session() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
}

describe("the token", () => {
  it("goes along as a header, and none does where there is none", () => {
    const access = new Access(null);
    expect(access.token).toBe("");
    access.token = " s3cret ";
    expect(access.token).toBe("s3cret");
  });

  it("lasts for the tab's session", () => {
    const tab = session();
    new Access(tab).token = "s3cret";
    expect(new Access(tab).token).toBe("s3cret");
    expect(new Access(session()).token).toBe("");
  });

  it("is refused before it is sent where no header could carry it", () => {
    expect(["a.b-c_d~=", "", "two words", "pässe", "line\nbreak"].map(Access.possible)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
