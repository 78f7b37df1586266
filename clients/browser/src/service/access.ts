/** The service's bearer token, where it asks for one: kept in this tab's session alone, and put into no address or file. */

const KEY = "rascanet.bearer";

/** The part of a browser's storage that is used here. */
export type Session = Pick<Storage, "getItem" | "setItem">;

export class Access {
  private known = "";

  /** `session`: null where the browser keeps nothing; the token then lasts until the page is reloaded. */
  constructor(private readonly session: Session | null) {
    this.known = session?.getItem(KEY) ?? "";
  }

  /** Empty where none was given. */
  get token(): string {
    return this.known;
  }

  set token(token: string) {
    this.known = token.trim();
    this.session?.setItem(KEY, this.known);
  }

  /** A header takes no other characters; whatever has them is not the service's token. */
  static possible(token: string): boolean {
    return /^[\x21-\x7e]+$/.test(token.trim());
  }
}

function session(): Session | null {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null; // storage is switched off
  }
}

export const access = new Access(session());
