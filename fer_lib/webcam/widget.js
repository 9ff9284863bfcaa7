// The browser's half of WebcamWidget: takes frames from a camera, a video file, a photo, or the
// kernel's own camera, sends them to Python one at a time, and draws what Python answers over the
// live picture. Plain ES module, nothing is fetched from anywhere. The protocol is in session.py.

const CHART_SECONDS = 10;
const KERNEL_IS_SLOW_MS = 5000;
const KERNEL_IS_GONE_MS = 60000;
const FILM_WAITS_MS = 150;
const RATE_WINDOW_MS = 3000;
const SPEECH_PAUSE_MS = 3000; // Screen readers hear of a change at most this often.
const PHOTO_SIDE = 1600;
const MAX_HEIGHT = 480; // CSS pixels of the picture.

const CAMERA_PROBLEMS = {
  NotAllowedError:
    "This page may not use the camera. Allow it in the browser (the camera sign in the address bar) " +
    "and start again, or choose a photo or a video file.",
  NotFoundError:
    "No camera was found. Connect one and start again, or choose a photo or a video file.",
  NotReadableError:
    "The camera does not answer; another program may be using it. Close that program and start again, " +
    "or choose a photo or a video file.",
  Insecure:
    "Browsers give the camera only to pages whose address begins with https:// or http://localhost. " +
    "Open the notebook that way, or choose a photo or a video file.",
  Editor:
    "VS Code does not let notebooks use the camera. Run WebcamWidget(camera=0), which reads the camera " +
    "of the computer that runs Python, or choose a photo or a video file.",
};

const MARKUP = `
  <div class="fer-stage">
    <div class="fer-frame">
      <video class="fer-video" muted playsinline hidden></video>
      <canvas class="fer-picture" hidden></canvas>
      <canvas class="fer-overlay" aria-hidden="true"></canvas>
      <div class="fer-empty">
        <svg viewBox="0 0 24 24" width="44" height="44" aria-hidden="true"><path fill="currentColor"
          d="M4 6h3.2l1.6-2h6.4l1.6 2H20a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2zm8
          2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zm0 2a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z"/></svg>
        <span>The camera is off</span>
      </div>
    </div>
    <canvas class="fer-chart" role="img" hidden></canvas>
  </div>
  <div class="fer-result" aria-hidden="true"></div>
  <div class="fer-speech" role="status"></div>
  <div class="fer-message" hidden></div>
  <div class="fer-controls">
    <button type="button" class="fer-toggle fer-main">Start camera</button>
    <button type="button" class="fer-snapshot" disabled
      title="Keep this picture and its faces in widget.snapshots">Snapshot</button>
    <button type="button" class="fer-open">Photo or video file…</button>
    <button type="button" class="fer-show" aria-pressed="true">Chart</button>
    <input type="file" class="fer-file" accept="image/*,video/*" tabindex="-1" aria-hidden="true">
    <span class="fer-rate"></span>
  </div>
  <p class="fer-note">Pictures go to the Python kernel of this notebook and nowhere else, and are not
    kept unless you press Snapshot. The results, as numbers, stay in its memory for
    <code>to_frame()</code>.</p>
`;

class WebcamView {
  constructor(model, element) {
    this.model = model;
    this.settings = model.get("_settings");
    this.colors = this.settings.classes.map((entry) => entry.color);
    this.names = this.settings.classes.map((entry) => entry.name);
    this.root = document.createElement("section");
    this.root.className = "fer-webcam";
    this.root.setAttribute("aria-label", "Facial expressions of the webcam");
    // JupyterLab would take Enter and the letter keys for its own shortcuts.
    this.root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.root.innerHTML = MARKUP;
    element.appendChild(this.root);
    for (const name of [
      "stage", "frame", "video", "picture", "overlay", "empty", "chart", "result", "speech",
      "message", "toggle", "snapshot", "open", "show", "file", "rate",
    ]) {
      this[name] = this.root.querySelector(`.fer-${name}`);
    }
    this.source = null; // what is running: "camera", "video", "kernel", or null
    this.token = 0; // counts starts and stops, so that a late promise knows that it is late
    this.session = null;
    this.faces = [];
    this.history = [];
    this.answers = [];
    this.lastSpeech = { time: 0, text: "" };
    this.photo = null;
    this.setUp();
  }

  setUp() {
    this.toggle.onclick = () => (this.source ? this.stop() : this.start());
    this.snapshot.onclick = () => this.takeSnapshot();
    this.open.onclick = () => this.file.click();
    this.file.onchange = () => {
      const [file] = this.file.files;
      this.file.value = ""; // so that choosing the same file again is a change, too
      if (file) this.openFile(file);
    };
    this.show.onclick = () => {
      const shown = this.show.getAttribute("aria-pressed") !== "true";
      this.show.setAttribute("aria-pressed", String(shown));
      this.draw();
    };
    this.video.onended = () => this.source === "video" && this.stop("The video has ended.");
    this.onMessage = (content, buffers) => this.receive(content, buffers);
    this.onConnection = () =>
      this.source && this.stop("The kernel was lost or restarted. Run the cell again.", true);
    this.model.on("msg:custom", this.onMessage);
    this.model.on("comm_live_update", this.onConnection);
    this.resizes = new ResizeObserver(() => this.draw());
    this.resizes.observe(this.stage);
    this.resizes.observe(this.chart);
    this.setAspect(4 / 3);
  }

  dispose() {
    this.stop();
    this.resizes.disconnect();
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onConnection);
    this.root.remove();
  }

  // Starting and stopping

  async start() {
    const token = this.begin(this.settings.kernel_camera ? "kernel" : "camera");
    if (this.source === "kernel") {
      this.say("Opening the camera of the computer that runs Python…");
      this.send({ type: "start", kernel_camera: true });
      return;
    }
    this.say("Waiting for the camera; the browser may ask for your permission.");
    let stream;
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "Insecure");
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } },
      });
    } catch (error) {
      if (token !== this.token) return;
      const inEditor = location.protocol.startsWith("vscode") && error.name === "NotAllowedError";
      const problem = CAMERA_PROBLEMS[inEditor ? "Editor" : error.name];
      this.stop(problem || `The camera cannot be used: ${error.message || error.name}`, true);
      return;
    }
    if (token !== this.token) {
      stream.getTracks().forEach((track) => track.stop()); // stopped while the browser was asking
      return;
    }
    for (const track of stream.getTracks()) {
      track.onended = () => this.stop("The camera was disconnected.", true);
    }
    this.video.srcObject = stream;
    await this.play(token);
  }

  openFile(file) {
    if (file.type.startsWith("video/")) {
      const token = this.begin("video");
      this.say(`Opening ${file.name}…`);
      this.video.src = URL.createObjectURL(file);
      this.play(token);
    } else {
      this.openPhoto(file);
    }
  }

  async openPhoto(file) {
    this.stop();
    const token = this.token;
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      this.say(`${file.name} is no picture that this browser can open. Choose a JPEG or PNG.`, true);
      return;
    }
    if (token !== this.token) return;
    this.session = newSession();
    this.showPicture(bitmap, PHOTO_SIDE);
    this.empty.hidden = true;
    bitmap.close();
    this.say(`Looking for faces in ${file.name}…`);
    const bytes = await toJpeg(this.picture, 0.92);
    if (token !== this.token) return;
    this.photo = bytes;
    this.snapshot.disabled = false;
    this.send({ type: "photo" }, [bytes]);
  }

  begin(source) {
    this.stop();
    this.source = source;
    this.session = newSession();
    this.history = [];
    this.answers = [];
    this.root.dataset.source = source;
    this.toggle.textContent = source === "video" ? "Stop video" : "Stop camera";
    this.started = performance.now();
    this.sentAt = null; // when the frame in flight left, or null
    this.watch = setInterval(() => this.watchOver(), 1000);
    return this.token;
  }

  async play(token) {
    try {
      await this.video.play();
    } catch (error) {
      if (token === this.token) this.stop(`This video cannot be played: ${error.message}`, true);
      return;
    }
    if (token !== this.token) return;
    this.video.hidden = false;
    this.empty.hidden = true;
    this.setAspect(this.video.videoWidth / this.video.videoHeight);
    this.say("Getting the networks ready…");
    this.send({ type: "start" });
  }

  stop(text = "", isProblem = false) {
    this.token += 1;
    clearInterval(this.watch);
    clearTimeout(this.hold);
    const stream = this.video.srcObject;
    if (stream) {
      for (const track of stream.getTracks()) {
        track.onended = null;
        track.stop();
      }
    }
    this.video.pause();
    this.video.srcObject = null;
    if (this.video.src) {
      URL.revokeObjectURL(this.video.src);
      this.video.removeAttribute("src");
      this.video.load();
    }
    if (this.source) this.send({ type: "stop" });
    this.source = null;
    this.session = null;
    this.photo = null;
    this.faces = [];
    this.wantsSnapshot = false;
    delete this.root.dataset.source;
    this.video.hidden = true;
    this.picture.hidden = true;
    this.empty.hidden = false;
    this.snapshot.disabled = true;
    this.toggle.textContent = "Start camera";
    this.rate.textContent = "";
    this.result.textContent = "";
    this.say(text, isProblem);
    this.draw();
  }

  // Frames: one in flight, never two. What the camera shows in the meantime is not sent at all.

  send(content, buffers) {
    this.sentAt = performance.now();
    // A camera goes on whatever happens; a film can wait for Python, so that none of it is missed.
    if (this.source === "video") this.hold = setTimeout(() => this.video.pause(), FILM_WAITS_MS);
    this.model.send({ ...content, session: this.session }, undefined, buffers);
  }

  async sendFrame() {
    const token = this.token;
    if (this.source === "kernel") {
      this.send({ type: "next", snapshot: this.takeWish() });
      return;
    }
    await nextFrame(this.video);
    if (token !== this.token) return;
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, this.settings.frame_width / videoWidth);
    this.canvas ||= document.createElement("canvas");
    this.canvas.width = Math.round(videoWidth * scale);
    this.canvas.height = Math.round(videoHeight * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    const now = this.source === "video" ? this.video.currentTime : (performance.now() - this.started) / 1000;
    const bytes = await toJpeg(this.canvas, 0.85);
    if (token !== this.token) return;
    this.send({ type: "frame", time_s: now, snapshot: this.takeWish() }, [bytes]);
  }

  takeWish() {
    const wanted = Boolean(this.wantsSnapshot);
    this.wantsSnapshot = false;
    return wanted;
  }

  takeSnapshot() {
    if (this.photo) this.send({ type: "photo", snapshot: true }, [this.photo]);
    else this.wantsSnapshot = true; // goes with the next frame
  }

  watchOver() {
    // A notebook takes cells that are out of sight out of the page, which pauses their videos.
    const { paused, ended, hidden, isConnected } = this.video;
    const waits = this.source === "video" && this.sentAt !== null;
    if (paused && !ended && !hidden && isConnected && !waits) {
      this.video.play().catch(() => {}); // not yet possible: tried again in a second
    }
    const silence = this.sentAt === null ? 0 : performance.now() - this.sentAt;
    if (silence > KERNEL_IS_GONE_MS) {
      this.stop("The kernel was silent for a minute, so the camera was stopped. Run the cell again.", true);
    } else if (silence > KERNEL_IS_SLOW_MS) {
      this.say("The kernel is busy: it may be running another cell. Frames are left out until it answers.");
      this.rate.textContent = "";
    }
  }

  receive(content, buffers) {
    if (content.type === "stop") {
      if (this.source) this.stop();
      return;
    }
    if (content.session !== this.session || this.session === null) return;
    this.sentAt = null;
    clearTimeout(this.hold);
    if (this.source === "video") this.video.play().catch(() => {}); // it was stopped meanwhile
    if (content.type === "error") {
      if (this.source) this.stop(content.message, true);
      else this.say(content.message, true);
    } else if (content.type === "stopped") {
      this.stop(content.message);
    } else if (content.type === "started") {
      this.say("");
      this.snapshot.disabled = false;
      this.sendFrame();
    } else if (content.type === "result") {
      this.receiveResult(content, buffers);
    }
  }

  async receiveResult(content, buffers) {
    const token = this.token;
    if (this.source === "kernel" && buffers.length) {
      const bitmap = await createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" }));
      if (token !== this.token) return;
      this.showPicture(bitmap, Infinity);
      this.empty.hidden = true;
      bitmap.close();
    }
    const now = performance.now();
    this.faces = content.faces;
    this.size = [content.width, content.height];
    this.answers = [...this.answers.filter((time) => now - time < RATE_WINDOW_MS), now];
    this.follow(content.time_s);
    this.describe(now);
    this.draw();
    if (content.snapshots) {
      const last = content.snapshots - 1;
      this.say(`Snapshot ${content.snapshots} is kept in memory: widget.snapshots[${last}]`);
    } else if (!this.message.textContent.startsWith("Snapshot") || !this.source) {
      this.say("");
    }
    if (this.source) this.sendFrame();
  }

  // What is seen and heard

  showPicture(bitmap, side) {
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    this.picture.width = Math.round(bitmap.width * scale);
    this.picture.height = Math.round(bitmap.height * scale);
    this.picture.getContext("2d").drawImage(bitmap, 0, 0, this.picture.width, this.picture.height);
    this.picture.hidden = false;
    this.setAspect(bitmap.width / bitmap.height);
  }

  setAspect(aspect) {
    this.frame.style.aspectRatio = String(aspect);
    this.root.style.setProperty("--fer-width", `${Math.round(MAX_HEIGHT * aspect)}px`);
  }

  follow(time) {
    // The chart stays with one face as long as that is there, then takes the largest.
    const charted = this.faces.find((face) => face.face_id === this.chartedId) || this.faces[0];
    this.chartedId = charted ? charted.face_id : null;
    this.charted = charted || null;
    this.now = time;
    if (charted) this.history.push({ time, id: charted.face_id, values: charted.probabilities });
    while (this.history.length && this.history[0].time < time - CHART_SECONDS - 1) this.history.shift();
  }

  describe(now) {
    const texts = this.faces.map((face) => `${this.label(face)} ${percent(face.confidence)}`);
    this.result.textContent = texts.join(" · ") || "No face found";
    const spoken = this.faces.map((face) => this.label(face)).join(", ") || "No face found";
    if (spoken !== this.lastSpeech.text && now - this.lastSpeech.time > SPEECH_PAUSE_MS) {
      this.speech.textContent = spoken;
      this.lastSpeech = { time: now, text: spoken };
    }
    if (this.source && this.answers.length > 2) {
      const seconds = (now - this.answers[0]) / 1000;
      const rate = (this.answers.length - 1) / seconds;
      this.rate.textContent = `${rate < 9.95 ? rate.toFixed(1) : Math.round(rate)} results/s`;
    }
  }

  label(face) {
    return this.faces.length > 1 ? `${face.face_id} ${face.emotion}` : face.emotion;
  }

  say(text, isProblem = false) {
    if (this.message.textContent === text) return;
    this.message.setAttribute("role", isProblem ? "alert" : "status");
    this.message.classList.toggle("fer-problem", isProblem);
    this.message.hidden = !text;
    this.message.textContent = text;
  }

  draw() {
    this.drawBoxes();
    const wanted = this.show.getAttribute("aria-pressed") === "true";
    this.chart.hidden = !wanted || !this.session || !(this.faces.length || this.history.length);
    if (!this.chart.hidden) this.drawChart();
  }

  drawBoxes() {
    const [context, width, height] = prepare(this.overlay);
    if (!this.faces.length || !width) return;
    const mirrored = this.source === "camera" || this.source === "kernel";
    const [scaleX, scaleY] = [width / this.size[0], height / this.size[1]];
    context.font = `600 14px ${FONT}`;
    context.textBaseline = "middle";
    for (const face of this.faces) {
      const color = this.colors[face.emotion_index];
      let [x, y, w, h] = face.box;
      [x, y, w, h] = [x * scaleX, y * scaleY, w * scaleX, h * scaleY];
      if (mirrored) x = width - x - w;
      for (const [style, line] of [["rgba(0, 0, 0, 0.5)", 5], [color, 3]]) {
        context.strokeStyle = style;
        context.lineWidth = line;
        context.beginPath();
        context.roundRect(x, y, w, h, 6);
        context.stroke();
      }
      const text = `${this.label(face)} ${percent(face.confidence)}`;
      const tagWidth = context.measureText(text).width + 14;
      const left = Math.max(0, Math.min(x - 1.5, width - tagWidth));
      const top = y >= 27 ? y - 26 : Math.min(y + 4, height - 24);
      context.fillStyle = color;
      context.beginPath();
      context.roundRect(left, top, tagWidth, 23, 5);
      context.fill();
      context.fillStyle = luminance(color) > 0.179 ? "black" : "white";
      context.fillText(text, left + 7, top + 12.5);
    }
  }

  drawChart() {
    const [context, width, height] = prepare(this.chart);
    if (!width) return;
    const values = this.charted ? this.charted.probabilities : null;
    const spoken = values && this.names.map((name, k) => `${name} ${percent(values[k])}`).join(", ");
    this.chart.setAttribute("aria-label", `Probabilities: ${spoken || "no face"}`);
    const moving = Boolean(this.source);
    const legend = moving ? Math.min(190, width * 0.42) : width - 16;
    this.drawBars(context, width - legend - 8, legend, height, values);
    if (moving) this.drawLines(context, 10, width - legend - 30, height);
  }

  drawBars(context, left, width, height, values) {
    const row = (height - 12) / this.names.length;
    context.font = `${Math.min(12, row - 1)}px ${FONT}`;
    context.textBaseline = "middle";
    const nameWidth = Math.max(...this.names.map((name) => context.measureText(name).width)) + 7;
    const barWidth = width - nameWidth - 36;
    this.names.forEach((name, k) => {
      const y = 6 + row * (k + 0.5);
      const best = values && values[k] === Math.max(...values);
      context.textAlign = "left";
      context.fillStyle = best ? "white" : "rgba(255, 255, 255, 0.78)";
      context.fillText(name, left, y);
      context.fillStyle = "rgba(255, 255, 255, 0.14)";
      context.fillRect(left + nameWidth, y - row * 0.28, barWidth, row * 0.56);
      if (!values) return;
      context.fillStyle = onDark(this.colors[k]);
      context.fillRect(left + nameWidth, y - row * 0.28, barWidth * values[k], row * 0.56);
      context.textAlign = "right";
      context.fillStyle = best ? "white" : "rgba(255, 255, 255, 0.78)";
      context.fillText(percent(values[k]), left + width, y);
    });
    context.textAlign = "left";
  }

  drawLines(context, left, width, height) {
    const [top, bottom] = [8, height - 17];
    const toX = (time) => left + width * (1 - (this.now - time) / CHART_SECONDS);
    const toY = (value) => bottom - (bottom - top) * value;
    context.lineWidth = 1;
    context.strokeStyle = "rgba(255, 255, 255, 0.22)";
    for (const value of [0, 0.5, 1]) {
      context.beginPath();
      context.moveTo(left, Math.round(toY(value)) + 0.5);
      context.lineTo(left + width, Math.round(toY(value)) + 0.5);
      context.stroke();
    }
    context.font = `10px ${FONT}`;
    context.textBaseline = "alphabetic";
    context.fillStyle = "rgba(255, 255, 255, 0.78)";
    context.fillText(`${CHART_SECONDS} s ago`, left, height - 4);
    const who = this.faces.length > 1 ? `face ${this.chartedId}, now` : "now";
    context.textAlign = "right";
    context.fillText(who, left + width, height - 4);
    context.textAlign = "left";
    context.save();
    context.beginPath();
    context.rect(left, 0, width + 2, height);
    context.clip();
    context.lineJoin = "round";
    this.names.forEach((_, k) => {
      context.strokeStyle = onDark(this.colors[k]);
      context.lineWidth = this.charted && this.charted.emotion_index === k ? 2.5 : 1.5;
      context.beginPath();
      let last = null;
      for (const point of this.history) {
        const joined = last && last.id === point.id && point.time - last.time < 1;
        context[joined ? "lineTo" : "moveTo"](toX(point.time), toY(point.values[k]));
        last = point;
      }
      context.stroke();
    });
    context.restore();
  }
}

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif";

function newSession() {
  return Math.random().toString(36).slice(2);
}

function nextFrame(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(resolve);
    else setTimeout(resolve, 33);
  });
}

async function toJpeg(canvas, quality) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
  return blob.arrayBuffer();
}

// Gives a canvas as many pixels as the screen shows of it, empties it, and counts in CSS pixels.
function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return [context, width, height];
}

function percent(share) {
  return share > 0 && share < 0.005 ? "<1%" : `${Math.round(share * 100)}%`;
}

function channels(color) {
  return [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
}

// Relative luminance as in WCAG 2, 0 for black and 1 for white.
function luminance(color) {
  const [red, green, blue] = channels(color)
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

// The chart is dark in every theme: colours that would drown in it are mixed with white.
function onDark(color) {
  if (luminance(color) > 0.13) return color;
  return `rgb(${channels(color).map((value) => Math.round(value * 0.65 + 255 * 0.35)).join(", ")})`;
}

export default {
  render({ model, el }) {
    const view = new WebcamView(model, el);
    return () => view.dispose();
  },
};
