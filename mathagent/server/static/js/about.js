/** What the server has: asked for once. */

import { call } from "./api.js";

let asked = null;

/** {about, strategies}: /v1/about, and the strategies by name. */
export function whatThereIs() {
  asked ??= load().catch((error) => {
    asked = null; // the next who asks tries again
    throw error;
  });
  return asked;
}

async function load() {
  const about = await call("GET", "about"); // alone first: it asks for a key where one is needed
  const { data } = await call("GET", "strategies");
  return { about, strategies: new Map(data.map((one) => [one.name, one])) };
}
