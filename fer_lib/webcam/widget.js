// The browser's half of WebcamWidget: takes frames from a camera, a video file, a photo, or the
// kernel's own camera, sends them to Python one at a time, and draws what Python answers over the
// live image. Plain ES module, nothing is fetched from anywhere. The messages are in messages.py.

const CHART_SECONDS = 10;
const KERNEL_IS_SLOW_MS = 5000;
const KERNEL_IS_GONE_MS = 60000;
const VIDEO_WAITS_MS = 150;
const RATE_WINDOW_MS = 3000;
const SPEECH_PAUSE_MS = 3000; // Screen readers hear of a change at most this often.
const PHOTO_SIDE = 1600;
const MAX_HEIGHT = 480; // CSS pixels of the image.

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif";
const [PALE, FAINT] = ["rgba(255, 255, 255, 0.78)", "rgba(255, 255, 255, 0.2)"]; // on the chart

// What to do about an error of getUserMedia; "or choose a photo or a video file" follows.
const CAMERA_PROBLEMS = {
  NotAllowedError:
    "This page may not use the camera. Allow it (the sign in the address bar) and start again",
  NotFoundError: "No camera was found. Connect one and start again",
  NotReadableError:
    "The camera does not answer. Close the program that may be using it and start again",
  Insecure:
    "Browsers give the camera to pages of https:// or http://localhost only. Open the notebook so",
  Editor:
    "VS Code does not let notebooks use the camera. Run WebcamWidget(camera=0): Python reads it",
};

const MARKUP = `
  <div class="fer-stage">
    <div class="fer-frame">
      <video class="fer-video" muted playsinline hidden></video>
      <canvas class="fer-image" hidden></canvas>
      <canvas class="fer-overlay" aria-hidden="true"></canvas>
      <div class="fer-empty">The camera is off</div>
    </div>
    <canvas class="fer-chart" role="img" hidden></canvas>
  </div>
  <div class="fer-result" aria-hidden="true"></div>
  <div class="fer-speech" role="status"></div>
  <div class="fer-message" hidden></div>
  <div class="fer-controls">
    <button type="button" class="fer-toggle fer-main">Start camera</button>
    <button type="button" class="fer-snapshot" disabled
      title="Keep this image and its faces in widget.snapshots">Snapshot</button>
    <button type="button" class="fer-open">Photo or video file…</button>
    <button type="button" class="fer-show" aria-pressed="true">Chart</button>
    <input type="file" class="fer-file" accept="image/*,video/*" tabindex="-1" aria-hidden="true">
    <span class="fer-rate"></span>
  </div>
  <p class="fer-note">Images go to the Python kernel of this notebook and nowhere else, and are not
    kept unless you press Snapshot. The results, as numbers, stay in its memory for
    <code>to_frame()</code>.</p>
`;

class WebcamView {
  constructor(model, element) {
    this.model = model;
    this.settings = model.get("_settings");
    this.classes = this.settings.classes; // name, color, text (on it), bright (on dark)
    this.root = document.createElement("section");
    this.root.className = "fer-webcam";
    this.root.setAttribute("aria-label", "Facial expressions of the webcam");
    // JupyterLab would take Enter and the letter keys for its own shortcuts.
    this.root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.root.innerHTML = MARKUP;
    element.appendChild(this.root);
    for (const part of this.root.querySelectorAll("[class^=fer-]")) {
      this[part.classList[0].slice(4)] = part; // this.video is .fer-video, and so on
    }
    this.source = null; // what is running: "camera", "video", "kernel", or null
    this.token = 0; // counts starts and stops, so that a late promise knows that it is late
    this.session = this.photo = null;
    [this.faces, this.history, this.answers] = [[], [], []];
    this.lastSpeech = { time: 0, text: "" };
    this.toggle.onclick = () => (this.source ? this.stop() : this.start());
    this.snapshot.onclick = () => this.takeSnapshot();
    this.open.onclick = () => this.file.click();
    this.file.onchange = () => {
      const [file] = this.file.files;
      this.file.value = ""; // so that choosing the same file again is a change, too
      if (file?.type.startsWith("video/")) this.openVideo(file);
      else if (file) this.openPhoto(file);
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
      this.send({ type: "start" });
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
      const problem =
        CAMERA_PROBLEMS[inEditor ? "Editor" : error.name] ||
        `The camera cannot be used (${error.message || error.name}). Start again`;
      this.stop(`${problem}, or choose a photo or a video file.`, true);
      return;
    }
    for (const track of stream.getTracks()) {
      if (token !== this.token) track.stop(); // stopped while the browser was asking
      track.onended = () => this.stop("The camera was disconnected.", true);
    }
    if (token !== this.token) return;
    this.video.srcObject = stream;
    await this.play(token);
  }

  openVideo(file) {
    const token = this.begin("video");
    this.say(`Opening ${file.name}…`);
    this.video.src = URL.createObjectURL(file);
    this.play(token);
  }

  async openPhoto(file) {
    this.stop();
    const token = this.token;
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (token !== this.token) return;
    if (!bitmap) {
      this.say(`${file.name} is not an image that this browser can open. Choose a JPEG or PNG.`, true);
      return;
    }
    this.session = Math.random().toString(36);
    this.showImage(bitmap, PHOTO_SIDE);
    this.say(`Looking for faces in ${file.name}…`);
    const bytes = await toJpeg(this.image, 0.92);
    if (token !== this.token) return;
    this.photo = bytes;
    this.snapshot.disabled = false;
    this.send({ type: "photo" }, [bytes]);
  }

  begin(source) {
    this.stop();
    this.source = source;
    this.session = Math.random().toString(36);
    [this.history, this.answers] = [[], []];
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
    for (const track of this.video.srcObject?.getTracks() || []) {
      track.onended = null;
      track.stop();
    }
    this.video.pause();
    this.video.srcObject = null;
    if (this.video.src) {
      URL.revokeObjectURL(this.video.src);
      this.video.removeAttribute("src");
      this.video.load();
    }
    if (this.source) this.send({ type: "stop" });
    this.source = this.session = this.photo = null;
    this.faces = [];
    this.wantsSnapshot = false;
    delete this.root.dataset.source;
    this.video.hidden = this.image.hidden = this.snapshot.disabled = true;
    this.empty.hidden = false;
    this.toggle.textContent = "Start camera";
    this.rate.textContent = this.result.textContent = "";
    this.say(text, isProblem);
    this.draw();
  }

  // Frames: one in flight, never two. What the camera shows in the meantime is not sent at all.

  send(content, buffers) {
    this.sentAt = performance.now();
    // A camera goes on whatever happens; a video file can wait, so that Python misses nothing.
    if (this.source === "video") this.hold = setTimeout(() => this.video.pause(), VIDEO_WAITS_MS);
    const { session, wantsSnapshot: snapshot } = this;
    this.wantsSnapshot = false;
    this.model.send({ ...content, session, snapshot }, undefined, buffers);
  }

  async sendFrame() {
    const token = this.token;
    if (this.source === "kernel") return this.send({ type: "next" });
    await new Promise((resolve) => this.video.requestVideoFrameCallback(resolve));
    if (token !== this.token) return;
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, this.settings.frame_width / videoWidth);
    this.canvas ||= document.createElement("canvas");
    this.canvas.width = Math.round(videoWidth * scale);
    this.canvas.height = Math.round(videoHeight * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    const elapsed = (performance.now() - this.started) / 1000;
    const time_s = this.source === "video" ? this.video.currentTime : elapsed;
    const bytes = await toJpeg(this.canvas, 0.85);
    if (token !== this.token) return;
    this.send({ type: "frame", time_s }, [bytes]);
  }

  takeSnapshot() {
    this.wantsSnapshot = true; // goes with the next frame
    if (this.photo) this.send({ type: "photo" }, [this.photo]);
  }

  watchOver() {
    // A notebook takes cells that are out of sight out of the page, which pauses their videos.
    const { paused, ended, hidden, isConnected } = this.video;
    const waits = this.source === "video" && this.sentAt !== null;
    const isHeld = ended || hidden || waits || !isConnected;
    if (paused && !isHeld) this.video.play().catch(() => {}); // tried again in a second
    const silence = this.sentAt === null ? 0 : performance.now() - this.sentAt;
    if (silence > KERNEL_IS_GONE_MS) {
      this.stop("The kernel was silent for a minute: the camera is off. Run the cell again.", true);
    } else if (silence > KERNEL_IS_SLOW_MS) {
      this.say("The kernel is busy, perhaps with another cell. Frames are left out meanwhile.");
      this.rate.textContent = "";
    }
  }

  receive(content, buffers) {
    if (content.session !== this.session || this.session === null) return;
    this.sentAt = null;
    clearTimeout(this.hold);
    if (this.source === "video") this.video.play().catch(() => {}); // it was stopped meanwhile
    if (content.type === "result") {
      this.receiveResult(content, buffers);
    } else if (content.type === "started") {
      this.say("");
      this.snapshot.disabled = false;
      this.sendFrame();
    } else if (this.source) {
      this.stop(content.message, content.type === "error"); // or "stopped"
    } else {
      this.say(content.message, true);
    }
  }

  async receiveResult(content, buffers) {
    const token = this.token;
    if (this.source === "kernel" && buffers.length) {
      const bitmap = await createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" }));
      if (token !== this.token) return;
      this.showImage(bitmap, Infinity);
    }
    const now = performance.now();
    this.faces = content.faces;
    this.size = [content.width, content.height];
    this.answers = [...this.answers.filter((time) => now - time < RATE_WINDOW_MS), now];
    this.follow(content.time_s);
    this.describe(now);
    this.draw();
    if (content.note) this.lastNote = content.note; // stays to be read
    if (content.note || !this.source || this.message.textContent !== this.lastNote) {
      this.say(content.note || "");
    }
    if (this.source) this.sendFrame();
  }

  // What is seen and heard

  showImage(bitmap, side) {
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    this.image.width = Math.round(bitmap.width * scale);
    this.image.height = Math.round(bitmap.height * scale);
    this.image.getContext("2d").drawImage(bitmap, 0, 0, this.image.width, this.image.height);
    this.image.hidden = false;
    this.empty.hidden = true;
    this.setAspect(bitmap.width / bitmap.height);
    bitmap.close();
  }

  setAspect(aspect) {
    this.frame.style.aspectRatio = String(aspect);
    this.root.style.setProperty("--fer-width", `${Math.round(MAX_HEIGHT * aspect)}px`);
  }

  follow(time) {
    // The chart stays with one face as long as that is there, then takes the largest.
    const isSame = (face) => face.face_id === this.charted?.face_id;
    this.charted = this.faces.find(isSame) || this.faces[0];
    this.now = time;
    if (this.charted) this.history.push({ time, ...this.charted });
    this.history = this.history.filter((point) => point.time >= time - CHART_SECONDS - 1);
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
      const rate = (1000 * (this.answers.length - 1)) / (now - this.answers[0]);
      this.rate.textContent = `${rate.toPrecision(2)} results/s`;
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
    for (const face of this.faces) {
      const { color, text } = this.classes.find(({ name }) => name === face.emotion);
      const [w, h, y] = [face.box[2] * scaleX, face.box[3] * scaleY, face.box[1] * scaleY];
      const x = mirrored ? width - face.box[0] * scaleX - w : face.box[0] * scaleX;
      context.beginPath();
      context.roundRect(x, y, w, h, 6);
      for (const [style, line] of [["rgba(0, 0, 0, 0.5)", 5], [color, 3]]) {
        context.strokeStyle = style;
        context.lineWidth = line;
        context.stroke();
      }
      const label = `${this.label(face)} ${percent(face.confidence)}`;
      const labelWidth = context.measureText(label).width + 14;
      const left = Math.max(0, Math.min(x - 1.5, width - labelWidth));
      const top = y >= 27 ? y - 26 : Math.min(y + 4, height - 24);
      context.fillStyle = color;
      context.beginPath();
      context.roundRect(left, top, labelWidth, 23, 5);
      context.fill();
      context.fillStyle = text;
      context.fillText(label, left + 7, top + 12.5);
    }
  }

  drawChart() {
    const [context, width, height] = prepare(this.chart);
    if (!width) return;
    const values = this.charted?.probabilities;
    const shares = Object.entries(values || {}).map(([name, share]) => `${name} ${percent(share)}`);
    const spoken = shares.join(", ") || "no face";
    this.chart.setAttribute("aria-label", `Probabilities: ${spoken}`);
    const barsWidth = this.source ? Math.min(190, width * 0.42) : width - 16;
    this.drawBars(context, width - barsWidth - 8, barsWidth, height, values);
    if (this.source) this.drawLines(context, 10, width - barsWidth - 30, height);
  }

  drawBars(context, left, width, height, values) {
    const row = (height - 12) / this.classes.length;
    context.font = `${Math.min(12, row - 1)}px ${FONT}`;
    const widths = this.classes.map(({ name }) => context.measureText(name).width);
    const start = left + Math.max(...widths) + 7;
    const barWidth = left + width - start - 36;
    this.classes.forEach(({ name, bright }, k) => {
      const y = 6 + row * (k + 0.5);
      const ink = this.charted?.emotion === name ? "white" : PALE;
      write(context, name, left, y, "left", ink);
      context.fillStyle = FAINT;
      context.fillRect(start, y - row * 0.28, barWidth, row * 0.56);
      if (!values) return;
      context.fillStyle = bright;
      context.fillRect(start, y - row * 0.28, barWidth * values[name], row * 0.56);
      write(context, percent(values[name]), left + width, y, "right", ink);
    });
  }

  drawLines(context, left, width, height) {
    const [top, bottom] = [8, height - 17];
    const toX = (time) => left + width * (1 - (this.now - time) / CHART_SECONDS);
    const toY = (value) => bottom - (bottom - top) * value;
    context.fillStyle = FAINT;
    for (const value of [0, 0.5, 1]) context.fillRect(left, Math.round(toY(value)), width, 1);
    context.font = `10px ${FONT}`;
    write(context, `${CHART_SECONDS} s ago`, left, height - 8, "left", PALE);
    const who = this.faces.length > 1 ? `face ${this.charted.face_id}, now` : "now";
    write(context, who, left + width, height - 8, "right", PALE);
    context.beginPath();
    context.rect(left, 0, width + 2, height);
    context.clip();
    context.lineJoin = "round";
    for (const { name, bright } of this.classes) {
      context.strokeStyle = bright;
      context.lineWidth = this.charted?.emotion === name ? 2.5 : 1.5;
      context.beginPath();
      let last = null;
      for (const point of this.history) {
        const joined = last && last.face_id === point.face_id && point.time - last.time < 1;
        context[joined ? "lineTo" : "moveTo"](toX(point.time), toY(point.probabilities[name]));
        last = point;
      }
      context.stroke();
    }
  }
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
  context.textBaseline = "middle";
  return [context, width, height];
}

function write(context, text, x, y, align, color) {
  context.textAlign = align;
  context.fillStyle = color;
  context.fillText(text, x, y);
}

function percent(share) {
  return share > 0 && share < 0.005 ? "<1%" : `${Math.round(share * 100)}%`;
}

export default {
  render({ model, el }) {
    const view = new WebcamView(model, el);
    return () => view.dispose();
  },
};
