/** The page: asks what there is to scan with, for a service's token if need be, and builds the desks. */

import { Page } from "./desks/page";
import { Access, access } from "./service/access";
import { type Build, engineOf, fetchOffer } from "./service/offer";
import { TokenFault } from "./service/service";
import { byId } from "./view/dom";
import { headline, tell, tellServiceFault } from "./view/notice";

const OFFLINE_AFTER_MS = 1_500;

/** Set by vite.config.ts. */
declare const PAGE_BUILD: Build;

async function start(): Promise<void> {
  headline("Opening …", "none");
  document.body.dataset.engine = engineOf(PAGE_BUILD, location.search);
  try {
    const offer = await fetchOffer(PAGE_BUILD, location.search);
    tell("");
    byId("sign-in").hidden = true;
    new Page(offer).open();
  } catch (error) {
    if (error instanceof TokenFault) return askForToken(error.message);
    headline("Nothing to scan with", "none");
    tellServiceFault(error, () => void start());
  }
}

function askForToken(why: string): void {
  headline("This service asks for a token", "none");
  tell(why);
  const form = byId<HTMLFormElement>("sign-in");
  const field = byId<HTMLInputElement>("token");
  form.hidden = false;
  field.value = "";
  field.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!Access.possible(field.value)) {
      tell("A token has letters, digits and signs, no spaces; this can’t be one.");
      return;
    }
    access.token = field.value;
    void start();
  };
}

if (PAGE_BUILD.alone) {
  byId("licences").hidden = false;
  // Once loaded, a page without a service needs no network any more. What there is to see comes first.
  setTimeout(() => void navigator.serviceWorker?.register("./offline.js"), OFFLINE_AFTER_MS);
}
void start();
