// The page: what is chosen is kept in `state`, jobs are made and followed, pictures compared.
// Nothing here comes from elsewhere, and nothing is asked of another server.

const MOST_BYTES = 64 * 2 ** 20;
// Fields that stand above the groups, in this order: what is tuned first.
const MAIN = [
  "method", "style", "style_weight", "strength", "alpha", "factor", "sharpness", "size", "iterations", "seed",
];
const SAID = {
  queued: "waits for its turn", running: "is being painted", stopping: "is stopping",
  done: "is finished", stopped: "is stopped", failed: "has failed",
};

const $ = (id) => document.getElementById(id);
const state = {
  form: null, method: null, values: {}, content: null, styles: [], masks: [], canvases: new Map(),
  job: null, source: null, asking: false, fresh: true, chosen: [], gallery: [], shown: null,
};

// ---- small helpers -------------------------------------------------------------------------

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function notice(text, bad = false) {
  $("notice").textContent = text;
  $("notice").classList.toggle("bad", bad);
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer: is it still running?");
  }
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(body?.error ?? `the server answers ${answer.status}`);
  return body;
}

const post = (path, value) => ask(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value ?? {}),
});

// Whatever goes wrong is one line on the page.
const safely = (work) => async (...given) => {
  try {
    return await work(...given);
  } catch (error) {
    notice(error.message, true);
  }
};

const short = (number) => (number == null ? "-" : Number(number.toPrecision(4)).toString());
const method = () => state.form.methods.find((each) => each.name === state.method);
const fields = (of = method()) => of.groups.flatMap((group) => group.fields);

// ---- pictures ------------------------------------------------------------------------------

async function send(file, name) {
  if (file.size > MOST_BYTES) throw new Error(`${name}: more than 64 MiB; save it smaller`);
  return ask("/api/pictures", {
    method: "POST", body: file, headers: { "X-File-Name": encodeURIComponent(name) },
  });
}

const give = safely(async (files, role) => {
  for (const file of files) {
    notice(`sending ${file.name}`);
    const picture = await send(file, file.name);
    if (role === "restore") {
      if (!picture.settings) throw new Error(`${file.name}: holds no settings of stylejax`);
      takeSettings(picture.settings, file.name);
      return;
    }
    if (role === "content") state.content = picture;
    else state.styles.push(picture);
    forgetMasks();
    notice(picture.settings
      ? `${picture.name} is here; it was made by stylejax: drop it outside of the fields for its settings`
      : `${picture.name} is here`);
  }
  drawPictures();
  drawCommand();
});

function drawPictures() {
  const draw = (place, pictures, remove) => $(place).replaceChildren(...pictures.map((picture, n) =>
    element("figure", {},
      element("img", { src: `/api/pictures/${picture.id}/thumbnail`, alt: picture.name }),
      element("figcaption", {}, picture.name),
      element("button", {
        type: "button", class: "remove", "aria-label": `Remove ${picture.name}`, onclick: () => {
          remove(n);
          forgetMasks();
          drawPictures();
          drawCommand();
        },
      }, "×"))));
  draw("content-pictures", state.content ? [state.content] : [], () => { state.content = null; });
  draw("styles-pictures", state.styles, (n) => state.styles.splice(n, 1));
  drawMaskState();
}

function zones() {
  for (const zone of document.querySelectorAll(".zone")) {
    const input = zone.querySelector("input");
    zone.querySelector(".choose").addEventListener("click", () => input.click());
    input.addEventListener("change", () => give([...input.files], zone.dataset.role).then(() => {
      input.value = "";
    }));
  }
  $("restore").addEventListener("click", () => $("restore-file").click());
  $("restore-file").addEventListener("change", () =>
    give([...$("restore-file").files], "restore").then(() => { $("restore-file").value = ""; }));
  const over = (event) => {
    for (const zone of document.querySelectorAll(".zone")) zone.classList.remove("over");
    document.body.classList.toggle("over", false);
    if (event?.type !== "dragover") return;
    (event.target.closest?.(".zone") ?? document.body).classList.add("over");
  };
  addEventListener("dragover", (event) => { event.preventDefault(); over(event); });
  addEventListener("dragleave", over);
  addEventListener("drop", (event) => {
    event.preventDefault();
    over();
    const role = event.target.closest?.(".zone")?.dataset.role ?? "restore";
    if (event.dataTransfer.files.length) give([...event.dataTransfer.files], role);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) {
      give([...event.clipboardData.files], state.content ? "styles" : "content");
    }
  });
}

// ---- the form, made from the dataclasses of the command line --------------------------------

const asText = (field, value) => {
  if (field.kind === "lists") return value.map((list) => list.join(",")).join("/");
  return Array.isArray(value) ? value.join(",") : String(value);
};

function fromText(field, text) {
  const numbers = (part) => part.split(",").map((each) => each.trim()).filter(Boolean).map(Number);
  switch (field.kind) {
    case "integer": case "number": return Number(text);
    case "integers": case "numbers": return numbers(text);
    case "lists": return text.split("/").map(numbers);
    case "names": return text.split(",").map((each) => each.trim()).filter(Boolean);
    default: return text;
  }
}

function changed(field, value) {
  state.values[state.method][field.name] = value;
  document.querySelector(`[data-field="${field.name}"]`)
    ?.classList.toggle("changed", JSON.stringify(value) !== JSON.stringify(field.default));
  drawCommand();
}

function control(field, value) {
  const id = `field-${field.name}`, described = `help-${field.name}`;
  if (field.kind === "choice") {
    const select = element("select", { id, "aria-describedby": described },
      ...field.choices.map((each) => element("option", { value: each }, each)));
    select.value = String(value);
    const chosen = () => (typeof field.default === "number" ? Number(select.value) : select.value);
    select.addEventListener("change", () => changed(field, chosen()));
    return select;
  }
  if (field.kind === "switch") {
    const box = element("input", { type: "checkbox", id, "aria-describedby": described, checked: value });
    box.addEventListener("change", () => changed(field, box.checked));
    return box;
  }
  if (field.kind === "choices") {
    const boxes = field.choices.map((each) => element("input", {
      type: "checkbox", value: each, checked: value.includes(each),
    }));
    const pick = () => changed(field, boxes.filter((box) => box.checked).map((box) => box.value));
    boxes.forEach((box) => box.addEventListener("change", pick));
    return element("div", { class: "several", id, role: "group", "aria-label": field.label },
      ...boxes.map((box) => element("label", {}, box, ` ${box.value}`)));
  }
  const isNumber = field.kind === "integer" || field.kind === "number";
  const input = element("input", {
    id, type: isNumber ? "number" : "text", value: asText(field, value),
    "aria-describedby": described, step: field.kind === "integer" ? 1 : "any",
    min: field.at_least ?? field.above, max: field.at_most, required: isNumber,
  });
  input.addEventListener("input", () => changed(field, fromText(field, input.value)));
  return input;
}

function bounds(field) {
  // A bound of 64 bits is no number of a browser's, and nobody needs it.
  if (field.at_most <= Number.MAX_SAFE_INTEGER) return ` ${field.at_least} to ${field.at_most}.`;
  if (field.above != null) return ` More than ${field.above}.`;
  return field.at_least != null ? ` ${field.at_least} or more.` : "";
}

function fieldRow(field) {
  const value = state.values[state.method][field.name];
  const isChanged = JSON.stringify(value) !== JSON.stringify(field.default);
  return element("div", { class: `field${isChanged ? " changed" : ""}`, "data-field": field.name },
    element("label", { for: `field-${field.name}` }, field.label), control(field, value),
    element("span", { class: "help", id: `help-${field.name}` }, field.help + bounds(field)));
}

function drawForm() {
  const now = method();
  state.values[now.name] ??= Object.fromEntries(fields().map((each) => [each.name, each.default]));
  $("about").textContent = now.about;
  for (const radio of document.querySelectorAll("#methods input")) radio.checked = radio.value === now.name;
  $("preset-label").hidden = !now.has_presets;
  $("weights-label").hidden = !now.takes_weights;
  $("format-label").hidden = now.is_folder;
  $("styles-zone").hidden = !now.takes_styles;
  $("masks").hidden = !now.takes_masks;
  const isMain = (field) => MAIN.includes(field.name);
  const main = fields().filter(isMain).sort((a, b) => MAIN.indexOf(a.name) - MAIN.indexOf(b.name));
  $("groups").replaceChildren(...main.map(fieldRow), ...now.groups.map((group) => {
    const rest = group.fields.filter((field) => !isMain(field));
    return rest.length && element("details", {},
      element("summary", {}, group.title), ...rest.map(fieldRow));
  }).filter(Boolean));
  drawMaskState();
  drawCommand();
}

function takePreset(name) {
  const preset = state.form.presets[name];
  if (!preset) return;
  const network = state.form.networks[preset.network];
  const plain = Object.fromEntries(fields().map((each) => [each.name, each.default]));
  state.values[state.method] = { ...plain, ...network, ...preset.values };
  const names = Object.keys(state.form.weights).filter((each) => state.form.weights[each] === preset.network);
  $("weights").value = preset.network === "densenet121" ? "" : names[0] ?? "";
  notice(names.length ? `${name}: ${preset.source}`
    : `${name} needs weights of ${preset.network}, which are not here: \`stylejax weights list\``, !names.length);
  drawForm();
}

function takeSettings(settings, from) {
  const known = state.form.methods.find((each) => each.name === settings.method);
  if (!known) throw new Error(`${from}: was made by ${settings.method}, which this page has not`);
  state.method = known.name;
  const plain = Object.fromEntries(fields().map((each) => [each.name, each.default]));
  state.values[known.name] = { ...plain, ...settings.values };
  $("weights").value = settings.weights ?? "";
  $("preset").value = "";
  if (settings.content) state.content = settings.content;
  if (settings.styles?.length) state.styles = settings.styles.filter(Boolean);
  forgetMasks();
  state.masks = [...(settings.content_masks ?? [])];
  drawForm();
  drawPictures();
  notice(`the settings of ${from} are here again`);
}

const order = () => ({
  method: state.method, values: state.values[state.method],
  weights: method().takes_weights ? $("weights").value : "",
  format: $("format").value, content: state.content?.id, styles: state.styles.map((each) => each.id),
  content_masks: method().takes_masks ? state.masks : [],
});

const quoted = (word) => (/^[\w./,:=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function drawCommand() {
  const now = method(), values = state.values[now.name];
  const needsNoStyles = !now.takes_styles || values.method === "apply";
  const words = ["stylejax", now.name, state.content?.name ?? "photo.jpg"];
  if (!needsNoStyles) words.push(...(state.styles.length ? state.styles.map((each) => each.name) : ["painting.jpg"]));
  words.push("-o", now.is_folder ? "folder" : `out.${$("format").value || "png"}`);
  const weights = now.takes_weights ? $("weights").value : "";
  if (weights) words.push("--weights", weights);
  // What is left out on the command line is the network's default.
  const network = now.takes_weights ? state.form.networks[state.form.weights[weights] ?? "densenet121"] : {};
  for (const field of fields()) {
    const value = values[field.name], usual = network[field.name] ?? field.default;
    if (JSON.stringify(value) !== JSON.stringify(usual)) {
      const flag = field.name.replaceAll("_", "-");
      if (field.kind === "switch") words.push(value ? `--${flag}` : `--no-${flag}`);
      else words.push(`--${flag}`, asText(field, value));
    }
  }
  if (now.takes_masks && state.masks.length) {
    words.push("--content-mask", ...state.masks.map((_, n) => `mask-${n + 1}.png`));
  }
  $("command-line").textContent = words.map(quoted).join(" ");
}

// ---- masks ---------------------------------------------------------------------------------

const brush = { x: 0, y: 0, drawing: false, style: 0, undo: [], image: null };

function forgetMasks() {
  state.masks = [];
  state.canvases.clear();
}

function drawMaskState() {
  const count = state.masks.length;
  $("mask-state").textContent = count ? `${count} mask${count > 1 ? "s" : ""} painted` : "the style goes everywhere";
  $("paint-mask").disabled = !state.content;
}

const regions = () => (method().takes_styles ? state.styles.map((each) => each.name)
  : state.values[state.method].style ?? []);

function maskCanvas(n) {
  if (!state.canvases.has(n)) {
    const made = document.createElement("canvas");
    [made.width, made.height] = [$("canvas").width, $("canvas").height];
    const context = made.getContext("2d");
    context.fillStyle = "black";
    context.fillRect(0, 0, made.width, made.height);
    state.canvases.set(n, made);
  }
  return state.canvases.get(n);
}

const openMask = safely(async () => {
  if (!regions().length) throw new Error("no style yet: drop a painting, or choose a style first");
  const image = new Image();
  image.src = `/api/pictures/${state.content.id}/preview`;
  await image.decode();
  [$("canvas").width, $("canvas").height] = [image.naturalWidth, image.naturalHeight];
  Object.assign(brush, {
    image, style: 0, undo: [], x: image.naturalWidth / 2, y: image.naturalHeight / 2, drawing: false,
  });
  $("mask-style").replaceChildren(...regions().map((name, n) => element("option", { value: n }, name)));
  $("mask-style-label").hidden = regions().length < 2;
  $("mask-dialog").showModal();
  drawMask();
});

function drawMask() {
  const canvas = $("canvas"), context = canvas.getContext("2d");
  const layer = document.createElement("canvas");
  [layer.width, layer.height] = [canvas.width, canvas.height];
  const over = layer.getContext("2d");
  over.drawImage(maskCanvas(brush.style), 0, 0);
  // White of the mask becomes a color that is seen through, black nothing.
  over.globalCompositeOperation = "multiply";
  over.fillStyle = "#ff5a36";
  over.fillRect(0, 0, layer.width, layer.height);
  context.globalCompositeOperation = "source-over";
  context.drawImage(brush.image, 0, 0, canvas.width, canvas.height);
  context.globalAlpha = 0.75;
  context.globalCompositeOperation = "screen";
  context.drawImage(layer, 0, 0);
  context.globalAlpha = 1;
  context.globalCompositeOperation = "source-over";
  context.beginPath();
  context.arc(brush.x, brush.y, Number($("brush").value) / 2, 0, 2 * Math.PI);
  context.strokeStyle = "white";
  context.stroke();
}

function keepForUndo() {
  const copy = document.createElement("canvas");
  const now = maskCanvas(brush.style);
  [copy.width, copy.height] = [now.width, now.height];
  copy.getContext("2d").drawImage(now, 0, 0);
  brush.undo = [...brush.undo.slice(-29), [brush.style, copy]];
}

function stroke(fromX, fromY, toX, toY, pressure = 1) {
  const context = maskCanvas(brush.style).getContext("2d");
  context.strokeStyle = $("eraser").checked ? "black" : "white";
  context.lineCap = "round";
  context.lineWidth = Number($("brush").value) * pressure;
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}

function undo() {
  const last = brush.undo.pop();
  if (last) state.canvases.set(...last);
  drawMask();
}

function masks() {
  const canvas = $("canvas");
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
  };
  // A mouse has no pressure of its own and says 0.5.
  const pressure = (event) => (event.pointerType === "pen" ? Math.max(0.1, 2 * event.pressure) : 1);
  const move = (event) => {
    const [x, y] = place(event);
    if (brush.drawing) stroke(brush.x, brush.y, x, y, pressure(event));
    Object.assign(brush, { x, y });
    drawMask();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    keepForUndo();
    [brush.x, brush.y] = place(event);
    brush.drawing = true;
    move(event);
  });
  canvas.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { brush.drawing = false; });
  canvas.addEventListener("keydown", (event) => {
    const size = Number($("brush").value), step = Math.max(2, size / 4);
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) {
      brush.x = Math.min(Math.max(brush.x + moves[event.key][0], 0), canvas.width);
      brush.y = Math.min(Math.max(brush.y + moves[event.key][1], 0), canvas.height);
    } else if (event.key === " ") {
      keepForUndo();
      stroke(brush.x, brush.y, brush.x, brush.y);
    } else if (event.key === "u") undo();
    else if (event.key === "e") $("eraser").checked = !$("eraser").checked;
    else if (event.key === "+") $("brush").value = size + 10;
    else if (event.key === "-") $("brush").value = size - 10;
    else return;
    event.preventDefault();
    drawMask();
  });
  $("brush").addEventListener("input", drawMask);
  $("mask-style").addEventListener("change", () => { brush.style = Number($("mask-style").value); drawMask(); });
  $("undo").addEventListener("click", undo);
  const fill = (color, mode) => () => {
    keepForUndo();
    const context = maskCanvas(brush.style).getContext("2d");
    context.globalCompositeOperation = mode;
    context.fillStyle = color;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = "source-over";
    drawMask();
  };
  $("invert").addEventListener("click", fill("white", "difference"));
  $("clear").addEventListener("click", fill("black", "source-over"));
  $("mask-cancel").addEventListener("click", () => $("mask-dialog").close());
  $("mask-none").addEventListener("click", () => {
    forgetMasks();
    drawMaskState();
    drawCommand();
    $("mask-dialog").close();
  });
  $("mask-keep").addEventListener("click", safely(async () => {
    const sent = [];
    for (const n of regions().keys()) {
      const blob = await new Promise((keep) => maskCanvas(n).toBlob(keep, "image/png"));
      sent.push((await send(blob, `mask-${n + 1}.png`)).id);
    }
    state.masks = sent;
    drawMaskState();
    drawCommand();
    $("mask-dialog").close();
    notice("the mask is kept: paint to see it used");
  }));
  $("paint-mask").addEventListener("click", openMask);
}

// ---- jobs ----------------------------------------------------------------------------------

function follow(job) {
  state.source?.close();
  Object.assign(state, { job, fresh: true, asking: false, chosen: [] });
  history.replaceState(null, "", `#job=${job.id}`);
  drawJob();
  drawGalleryChoice();
  const source = new EventSource(`/api/jobs/${job.id}/events`);
  state.source = source;
  source.addEventListener("state", safely(async () => {
    const now = await ask(`/api/jobs/${job.id}`);
    if (state.job?.id !== now.id) return;
    const before = state.job.state;
    state.job = now;
    drawJob();
    if (before !== now.state || before === "failed") {
      notice(`${now.label} ${SAID[now.state]}${now.message ? `: ${now.message}` : ""}`, now.state === "failed");
      drawJobs();
      if (!now.can_stop) drawGallery();
    }
    askForPreview();
  }));
  source.addEventListener("progress", (event) => {
    drawProgress(JSON.parse(event.data));
    askForPreview();
  });
  source.addEventListener("lanes", (event) => drawLanes(JSON.parse(event.data)));
  source.addEventListener("cell", safely(async () => {
    state.job = await ask(`/api/jobs/${job.id}`);
    drawSweep();
  }));
}

// Numbers come by themselves; a picture is asked for when the last one has arrived.
function askForPreview() {
  const job = state.job;
  if (state.asking || document.hidden || !job?.can_stop || job.is_folder || job.state === "queued") return;
  state.asking = true;
  // One of its own: the last picture is seen until this one is whole.
  const image = element("img", { id: "after", alt: "The picture as it is now" });
  const arrived = (there) => {
    if (state.job?.id !== job.id) return;
    state.asking = false;
    if (!there || !state.job.can_stop) return;
    state.fresh = false;
    $("after").replaceWith(image);
    fitTo(image);
    $("compare").hidden = false;
  };
  image.onload = () => arrived(true);
  image.onerror = () => arrived(false);
  // The newest there is at first, and then always the next one.
  image.src = `/api/jobs/${job.id}/preview?${state.fresh ? "after=0&" : ""}at=${Date.now()}`;
}

function drawProgress(now) {
  $("progress").hidden = false;
  $("bar").max = now.iterations;
  $("bar").value = now.iteration;
  $("numbers").textContent = [
    `iteration ${now.iteration} of ${now.iterations}`,
    now.levels > 1 ? `level ${now.level} of ${now.levels}` : "",
    `loss ${short(now.loss)}: content ${short(now.content)}, style ${short(now.style)}, variation ${short(now.total_variation)}`,
    `${short(now.seconds_an_iteration)} s each`,
    now.iteration < now.iterations ? `${Math.ceil(now.seconds_left)} s left` : "",
  ].filter(Boolean).join(" · ");
}

function fitTo(image) {
  const ratio = image.naturalWidth / image.naturalHeight || 1;
  document.querySelector("#compare figure").style.setProperty("--ratio", ratio);
}

function compare(before, after) {
  state.shown = after;
  $("compare").hidden = !after;
  if (!after) return;
  if (before) $("before").src = `/api/pictures/${before.id}/preview`;
  $("before").hidden = !before;
  $("before").alt = before?.name ?? "";
  $("left-name").textContent = before?.name ?? "";
  $("right-name").textContent = after.name;
  $("after").alt = after.name;
  $("after").onload = () => fitTo($("after"));
  $("after").src = `/api/pictures/${after.id}/preview`;
  $("download").hidden = !after.is_ours;
  if (after.is_ours) $("download").href = `/api/pictures/${after.id}/file`;
  $("use-settings").hidden = false;
}

function drawJob() {
  const job = state.job;
  const names = [job.content?.name, ...job.styles.map((each) => each?.name)].filter(Boolean).join(" × ");
  const doing = job.state === "queued" ? `number ${job.place} in the queue` : job.stage || SAID[job.state];
  $("job-title").textContent = `${job.label}: ${names} · ${doing}`;
  $("stop").hidden = !job.can_stop;
  $("stop").disabled = job.state === "stopping";
  $("resume").hidden = !job.can_resume;
  if (!job.can_stop && job.message) notice(job.message, job.state === "failed");
  if (job.is_folder) {
    $("progress").hidden = true;
    drawSweep();
    // A picture of another job is not to be taken for one of these.
    if (!state.shown) $("compare").hidden = $("download").hidden = $("use-settings").hidden = true;
    return;
  }
  $("sweep").hidden = true;
  if (job.result) compare(job.content, job.result);
  else {
    if (state.fresh) compare(job.content, null);
    $("download").hidden = $("use-settings").hidden = true;
    if (job.content) $("before").src = `/api/pictures/${job.content.id}/preview`;
    $("left-name").textContent = job.content?.name ?? "";
    $("right-name").textContent = "Painting";
  }
}

function drawSweep() {
  const { axes, cells } = state.job;
  $("sweep").hidden = !cells.length;
  if (!cells.length) return;
  const across = axes.at(-1), columns = across ? across.labels.length : 1;
  const rowLabel = (row) => {
    let left = row;
    return axes.slice(0, -1).reverse().map((axis) => {
      const label = axis.labels[left % axis.labels.length];
      left = Math.floor(left / axis.labels.length);
      return `${axis.name} ${label}`;
    }).reverse().join(", ") || "sweep";
  };
  const cell = ({ name, picture }, n) => element("td", { "data-cell": n }, picture
    ? element("button", { type: "button", "aria-label": `Show ${name}`, onclick: () => compare(state.job.content, picture) },
      element("img", { src: `/api/pictures/${picture.id}/thumbnail`, alt: name, loading: "lazy" }))
    : element("progress", { max: 1, value: 0, "aria-label": name }));
  const rows = [];
  for (let row = 0; row * columns < cells.length; row += 1) {
    rows.push(element("tr", {}, element("th", { scope: "row" }, rowLabel(row)),
      ...cells.slice(row * columns, (row + 1) * columns).map((each, n) => cell(each, row * columns + n))));
  }
  const head = across ? across.labels.map((label) => `${across.name} ${label}`) : ["picture"];
  $("cells").replaceChildren(
    element("thead", {}, element("tr", {}, element("td"), ...head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows));
}

function drawLanes(now) {
  const total = state.job.values.iterations ?? 200;
  now.lanes.forEach((lane, n) => {
    const place = document.querySelector(`[data-cell="${lane}"]`);
    if (!place || place.querySelector("button")) return;
    place.replaceChildren(
      element("progress", { max: total, value: now.iterations[n], "aria-label": `Iterations of ${total}` }),
      `${now.iterations[n]} of ${total}`, element("br"), `loss ${short(now.losses[n])}`);
  });
}

const drawJobs = safely(async () => {
  const jobs = (await ask("/api/jobs")).reverse();
  $("jobs").hidden = !jobs.length;
  $("job-list").replaceChildren(...jobs.map((job) => element("li", {}, element("button", {
    type: "button", "aria-current": String(job.id === state.job?.id),
    onclick: () => { state.shown = null; follow(job); drawJobs(); },
  }, `${job.label} · ${job.content?.name ?? "a picture"} · ${SAID[job.state]}`))));
  return jobs;
});

// ---- gallery -------------------------------------------------------------------------------

const drawGallery = safely(async () => {
  state.gallery = await ask("/api/gallery");
  $("gallery").hidden = !state.gallery.length;
  $("gallery-list").replaceChildren(...state.gallery.map((picture) => element("button", {
    type: "button", "data-id": picture.id, "aria-pressed": "false", onclick: () => choose(picture),
  }, element("img", { src: `/api/pictures/${picture.id}/thumbnail`, alt: "", loading: "lazy" }),
    element("span", {}, picture.name))));
  drawGalleryChoice();
});

function choose(picture) {
  const at = state.chosen.findIndex((each) => each.id === picture.id);
  if (at >= 0) state.chosen.splice(at, 1);
  else state.chosen = [...state.chosen.slice(-1), picture];
  drawGalleryChoice();
  const [first, second] = state.chosen;
  $("sweep").hidden = true;
  if (second) {
    compare(first, second);
    setShare(50);
  } else if (first) compare(null, first);
}

function drawGalleryChoice() {
  for (const button of document.querySelectorAll("#gallery-list button")) {
    button.setAttribute("aria-pressed", String(state.chosen.some((each) => each.id === button.dataset.id)));
  }
}

// ---- all together --------------------------------------------------------------------------

function setShare(share) {
  $("slider").value = share;
  document.querySelector("#compare figure").style.setProperty("--share", `${share}%`);
}

function buttons() {
  $("slider").addEventListener("input", () => setShare($("slider").value));
  $("beside").addEventListener("click", () => {
    const is = $("compare").classList.toggle("beside");
    $("beside").setAttribute("aria-pressed", String(is));
  });
  $("form").addEventListener("submit", safely(async (event) => {
    event.preventDefault();
    if (!state.content) throw new Error("no photograph yet: drop one, paste one or choose one");
    const job = await post("/api/jobs", order());
    state.shown = null;
    setShare(0);
    follow(job);
    drawJobs();
    notice(`${job.label} ${SAID[job.state]}`);
  }));
  $("defaults").addEventListener("click", () => {
    delete state.values[state.method];
    $("preset").value = "";
    drawForm();
  });
  $("stop").addEventListener("click", safely(async () => {
    state.job = await post(`/api/jobs/${state.job.id}/stop`);
    drawJob();
    notice("stopping after the iteration under way; the picture is kept");
  }));
  $("resume").addEventListener("click", safely(async () => {
    state.shown = null;
    follow(await post(`/api/jobs/${state.job.id}/resume`));
    drawJobs();
  }));
  $("use-settings").addEventListener("click", safely(async () => {
    const settings = await ask(`/api/pictures/${state.shown.id}/settings`);
    if (!settings) throw new Error(`${state.shown.name}: holds no settings of stylejax`);
    takeSettings(settings, state.shown.name);
  }));
  $("copy").addEventListener("click", safely(async () => {
    await navigator.clipboard.writeText($("command-line").textContent);
    notice("the command is copied");
  }));
  $("preset").addEventListener("change", () => takePreset($("preset").value));
  for (const id of ["weights", "format"]) $(id).addEventListener("change", drawCommand);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) askForPreview(); });
}

const begin = safely(async () => {
  state.form = await ask("/api/form");
  const { methods, presets, weights, formats } = state.form;
  const options = (names, first) => [...(first == null ? [] : [element("option", { value: "" }, first)]),
    ...names.map((name) => element("option", { value: name }, name))];
  $("methods").replaceChildren(...methods.map((each) => element("label", {}, element("input", {
    type: "radio", name: "method", value: each.name, onchange: () => { state.method = each.name; drawForm(); },
  }), each.label)));
  $("preset").replaceChildren(...options(Object.keys(presets), "none"));
  $("weights").replaceChildren(...options(Object.keys(weights), "default"));
  $("format").replaceChildren(...options(formats));
  state.method = methods[0].name;
  zones();
  masks();
  buttons();
  drawForm();
  drawPictures();
  document.body.classList.toggle("watching", state.form.is_watched);
  const jobs = await drawJobs();
  if (!state.form.is_watched) drawGallery();
  const asked = /job=([0-9a-f]+)/.exec(location.hash)?.[1];
  const job = jobs.find((each) => each.id === asked) ?? jobs.find((each) => each.can_stop);
  if (job) {
    // As it was before the page was left: its pictures and settings too.
    if (!state.form.is_watched) takeSettings({ ...job }, "the last job");
    notice("");
    follow(job);
    drawJobs();
  }
  document.body.dataset.ready = "true";
});

begin();
