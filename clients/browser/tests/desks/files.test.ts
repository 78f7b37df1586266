import { describe, expect, it } from "vitest";
import { sortFiles } from "../../src/desks/files";

const file = (name: string, content = "", type = "") => Object.assign(new Blob([content], { type }), { name });
const names = (files: { name: string }[]) => files.map(({ name }) => name);

describe("files", () => {
  it("are recordings by their bytes, whatever they are called", async () => {
    for (const name of ["street.rec", "street.rasc", "street", "street.jpg"]) {
      const sorted = await sortFiles([file(name, "RSCNREC1...")]);
      expect(sorted.recording?.name).toBe(name);
      expect(sorted.pictures).toEqual([]);
    }
    expect((await sortFiles([file("empty.rec")])).pictures).toHaveLength(1);
  });

  it("are films by their type, or by their ending where they have none", async () => {
    expect((await sortFiles([file("walk", "x", "video/webm")])).film?.name).toBe("walk");
    expect((await sortFiles([file("walk.mkv", "x")])).film?.name).toBe("walk.mkv");
  });

  it("play one at a time, and the pictures among them stay pictures", async () => {
    const all = [file("a.png", "x", "image/png"), file("b.mp4", "x", "video/mp4"), file("c.mp4", "x", "video/mp4")];
    const sorted = await sortFiles([...all, file("notes.txt", "x", "text/plain")]);
    expect([sorted.film?.name, names(sorted.pictures), sorted.others]).toEqual(["b.mp4", ["a.png", "notes.txt"], 1]);
  });
});
