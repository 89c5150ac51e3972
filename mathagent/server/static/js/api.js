/** The server's API. Whatever fails is an ApiFailure, whose message is a sentence for a person. */

import { bearer, askForKey } from "./key.js";
import { eventsOf } from "./sse.js";
import { sentence } from "./words.js";

const BASE = new URL("../v1/", import.meta.url); // wherever the app is mounted

export class ApiFailure extends Error {
  constructor(message, { status = 0, code = "" } = {}) {
    super(sentence(message));
    this.status = status;
    this.code = code;
  }
}

/** The JSON of a route; null where it has none. */
export async function call(method, path, { body, query, signal } = {}) {
  const response = await request(method, path, { body, query, signal });
  return response.status === 204 ? null : response.json();
}

/** Gives each event of a route that streams. An event `error` is thrown; so is an end without a last event. */
export async function* stream(path, body, signal) {
  const response = await request("POST", path, { body, signal });
  let last = "";
  try {
    for await (const { kind, data } of eventsOf(response.body)) {
      if (kind === "error") throw failure(data, 200);
      last = kind;
      yield data;
    }
  } catch (error) {
    throw asFailure(error);
  }
  if (last !== "solve-finished") throw broken();
}

async function request(method, path, { body, query, signal }) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of [value].flat())
      if (one !== "" && one !== null && one !== undefined) url.searchParams.append(name, one);
  }
  for (;;) {
    const key = bearer();
    const headers = {
      ...(key && { authorization: `Bearer ${key}` }),
      ...(body && { "content-type": "application/json" }),
    };
    let response;
    try {
      response = await fetch(url, {
        method,
        headers,
        signal,
        body: body && JSON.stringify(body),
        credentials: "omit",
      });
    } catch (error) {
      throw asFailure(error);
    }
    if (response.ok) return response;
    if (response.status !== 401) throw await refusal(response);
    if (!(await askForKey(key)))
      throw new ApiFailure("this server needs a key", { status: 401, code: "invalid_api_key" });
  }
}

async function refusal(response) {
  const data = await response.json().catch(() => ({})); // a proxy between may answer with a page of its own
  const told = failure(data, response.status);
  const wait = response.headers.get("retry-after");
  if (wait && response.status === 429) told.message += ` You may try again in ${wait} s.`;
  return told;
}

function failure(data, status) {
  const { message = `the server answered with status ${status}`, code = "" } = data.error ?? {};
  return new ApiFailure(message, { status, code });
}

function asFailure(error) {
  if (error instanceof ApiFailure || error.name === "AbortError") return error;
  if (error instanceof TypeError) return broken();
  return error;
}

function broken() {
  return new ApiFailure("the connection to the server broke, or it does not run any more", {
    code: "unreachable",
  });
}
