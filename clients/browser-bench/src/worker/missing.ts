/** Something that this browser or this copy of the page lacks. */
export class Missing extends Error {
  override readonly name = "Missing";
}
