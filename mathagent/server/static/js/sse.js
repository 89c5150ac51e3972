/** Server-sent events, read from the body of a response: EventSource can only GET. */

const END = /\r\n\r\n|\n\n|\r\r/;

/** Gives {kind, data} of each event of `body`; comments, which keep the connection alive, are passed over. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      let from = Math.max(0, rest.length - 3); // an end may lie across two pieces
      rest += value;
      for (let end = find(rest, from); end; end = find(rest, 0)) {
        const event = parsed(rest.slice(0, end.index));
        rest = rest.slice(end.index + end[0].length);
        if (event) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it is closed already where the reading has failed
  }
}

function find(text, from) {
  const found = END.exec(text.slice(from));
  if (found) found.index += from;
  return found;
}

function parsed(block) {
  let kind = "message";
  const data = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === "event") kind = value;
    if (name === "data") data.push(value);
  }
  return data.length ? { kind, data: JSON.parse(data.join("\n")) } : null;
}
