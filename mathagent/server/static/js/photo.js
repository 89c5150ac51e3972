/** A photo of a problem: chosen, taken, pasted or dropped, made small, and read by the server's model. */

import { whatThereIs } from "./about.js";
import { ApiFailure, call } from "./api.js";
import { button, freshId, h } from "./dom.js";

const BLIND =
  "This server's model is not known to see pictures, so photos cannot be read. Type the problem; formulas go between $ signs.";
const CHECK = "Read from the photo. Check it, and mend what is wrong, before you ask.";
const CUT = "Only the beginning of the photo's text could be read. Mend it before you ask.";
const SENT_AS_IT_IS = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const MOST_BYTES = 600_000; // of the file that is sent: with base64 it stays below the server's usual limit of 1 MiB
const SIDES = [2400, 1700, 1200, 850]; // pixels of the longer side, tried in this order

/** {row, told, take(event), show()}: a button with what is told beside it. `take` is for a paste or a drop, and
 *  `onText` hears what was read. */
export function photoPart({ onText }) {
  const id = freshId("photo");
  const input = h("input", { type: "file", id, accept: "image/*", hidden: true, "aria-label": "Photo file" });
  const choose = button("Photo", () => input.click(), { disabled: true, "aria-describedby": `${id}-why` });
  const why = h("span", { class: "soft", id: `${id}-why`, role: "status" });
  const told = h("p", { class: "wrong", role: "alert" });
  let sees = false;
  let reading = false;

  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (file) read(file);
  });

  function show(words = sees ? "" : BLIND) {
    choose.disabled = !sees || reading;
    why.textContent = words;
  }

  async function read(file) {
    if (reading) return;
    told.textContent = "";
    reading = true;
    show("Reading the photo…");
    let words = "";
    try {
      const { text, complete } = await call("POST", "problems/transcribe", { body: { image: await sent(file) } });
      onText(text);
      words = complete ? CHECK : CUT;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      told.textContent = error.message;
    } finally {
      reading = false;
      show(words);
    }
  }

  return {
    row: h("div", { class: "row photo" }, choose, input, why),
    told,
    /** Asks the server whether its model sees pictures. */
    show: async () => {
      const { about } = await whatThereIs();
      sees = about.images;
      if (!reading) show();
    },
    /** Reads the picture that was pasted or dropped, if there is one. */
    take: (event) => {
      const files = [...(event.clipboardData ?? event.dataTransfer).files];
      const picture = files.find((one) => one.type.startsWith("image/"));
      if (!picture) return;
      event.preventDefault();
      if (sees) read(picture);
      else told.textContent = BLIND;
    },
    /** Forgets what was told of an earlier photo. */
    clear: () => {
      told.textContent = "";
    },
  };
}

/** The file in base64; one that is large, or of a kind that servers do not take, is drawn anew, smaller, as JPEG. */
async function sent(file) {
  if (SENT_AS_IT_IS.includes(file.type) && file.size <= MOST_BYTES) return base64(file);
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    throw new ApiFailure("this browser cannot open the picture; save it as JPEG or PNG");
  }
  let smaller = null;
  for (const side of SIDES) {
    smaller = await drawn(picture, Math.min(1, side / Math.max(picture.width, picture.height)));
    if (smaller.size <= MOST_BYTES) break;
  }
  picture.close();
  return base64(smaller);
}

async function drawn(picture, scale) {
  const [width, height] = [picture.width, picture.height].map((one) => Math.max(1, Math.round(one * scale)));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(new ApiFailure("the picture cannot be read")));
    reader.readAsDataURL(blob);
  });
}
