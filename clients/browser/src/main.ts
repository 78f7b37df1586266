/** The page: asks what the service offers, for a token if need be, and builds the desks. */

import { Page } from "./desks/page";
import { Access, access } from "./service/access";
import { fetchModels, fetchRecordings, fetchSamples, TokenFault } from "./service/service";
import { byId } from "./view/dom";
import { headline, tell, tellServiceFault } from "./view/notice";

async function start(): Promise<void> {
  headline("Opening …", "none");
  try {
    const offer = await fetchModels();
    const [samples, recordings] = await Promise.all([fetchSamples(), fetchRecordings()]);
    tell("");
    byId("sign-in").hidden = true;
    new Page(offer, samples, recordings).open();
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

void start();
