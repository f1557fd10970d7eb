// Shows what the receiver got, as it comes. Whatever arrives is text: nothing here writes HTML.
(() => {
  "use strict";
  const { locale, texts, approve } = JSON.parse(document.body.dataset.inbox);
  const french = locale === "fr";
  const day = new Intl.DateTimeFormat(french ? "fr-CA" : "en-CA", { dateStyle: "long" });

  // As the server writes times, in the reader's time zone.
  const clock = (at) => {
    const [hours, minutes] = [at.getHours(), String(at.getMinutes()).padStart(2, "0")];
    if (!french) return `${day.format(at)}, ${String(hours).padStart(2, "0")}:${minutes}`;
    return `${day.format(at).replace(/^1 /, "1er ")} à ${hours}\u00a0h${minutes === "00" ? "" : `\u00a0${minutes}`}`;
  };

  const el = (name, props, ...children) => {
    const node = Object.assign(document.createElement(name), props);
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };
  const when = (at) => el("time", { dateTime: at, textContent: clock(new Date(at)) });
  const parse = (text) => { try { return JSON.parse(text); } catch { return null; } };

  // --- Slack: what its own client makes of Block Kit and mrkdwn ---
  const unescape = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
  const safe = (url) => { try { return /^https?:$/.test(new URL(url).protocol); } catch { return false; } };
  const MARK = /<([^<>|]+)(?:\|([^<>]*))?>|(?<![\w*])\*([^*\n]+)\*(?![\w*])|(?<!\w)_([^_\n]+)_(?!\w)|(?<!\w)~([^~\n]+)~(?!\w)|`([^`\n]+)`/g;
  const marked = (text) => {
    const out = [];
    let from = 0;
    for (const match of text.matchAll(MARK)) {
      out.push(unescape(text.slice(from, match.index)));
      const [whole, url, label, bold, italic, struck, code] = match;
      if (url) out.push(safe(unescape(url)) ? el("a", { href: unescape(url), textContent: unescape(label || url) }) : unescape(whole));
      else if (bold) out.push(el("b", {}, ...marked(bold)));
      else if (italic) out.push(el("i", {}, ...marked(italic)));
      else if (struck) out.push(el("s", {}, ...marked(struck)));
      else out.push(el("code", { textContent: unescape(code) }));
      from = match.index + whole.length;
    }
    out.push(unescape(text.slice(from)));
    return out;
  };
  const text = (part) => {
    if (!part || typeof part.text !== "string") return [];
    return part.type === "mrkdwn" ? marked(part.text) : [unescape(part.text)]; // Slack wants both escaped
  };
  const runs = (part) => {
    if (part.type === "text") return [part.style && part.style.bold ? el("b", { textContent: part.text }) : part.text];
    if (part.type === "link") return [safe(part.url) ? el("a", { href: part.url, textContent: part.text || part.url }) : part.text || ""];
    if (part.type === "emoji") return [];
    return [el("div", {}, ...(part.elements || []).flatMap(runs))];
  };
  const block = (part) => {
    if (part.type === "divider") return el("hr", { className: "block" });
    if (part.type === "header") return el("p", { className: "block header" }, ...text(part.text));
    if (part.type === "context") return el("div", { className: "block context" }, ...(part.elements || []).map((one) => el("span", { className: "text" }, ...text(one))));
    if (part.type === "actions") return el("div", { className: "block actions" }, ...(part.elements || []).filter((one) => safe(one.url)).map((one) => el("a", { href: one.url }, ...text(one.text))));
    if (part.type === "rich_text") return el("div", { className: "block pre" }, ...(part.elements || []).flatMap(runs));
    const box = el("div", { className: "block" });
    if (part.text) box.append(el("div", { className: "text" }, ...text(part.text)));
    if (part.fields) box.append(el("div", { className: "block fields" }, ...part.fields.map((one) => el("div", { className: "text" }, ...text(one)))));
    if (part.accessory && safe(part.accessory.url)) box.append(el("div", { className: "block actions" }, el("a", { href: part.accessory.url }, ...text(part.accessory.text))));
    return box;
  };
  const slack = (message) => {
    const said = parse(message.body) || { text: message.body };
    const content = el("div", {}, el("p", { className: "from" },
      el("b", { textContent: texts.sender }), el("span", { className: "tag", textContent: texts.app }), " ", when(message.received_at)));
    if (Array.isArray(said.blocks) && said.blocks.length) content.append(...said.blocks.map(block));
    else content.append(el("div", { className: "block text" }, ...marked(String(said.text ?? ""))));
    return el("li", { className: "slack" }, el("img", { src: "/assets/inbox.svg", alt: "", width: 36, height: 36 }), content);
  };

  // --- Webhooks: what it means in a line, then the request itself ---
  const coloured = (value) => {
    const source = JSON.stringify(value, null, 2);
    const pre = el("pre", { tabIndex: 0 });
    let from = 0;
    for (const match of source.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|\b(?:true|false|null)\b|-?\b\d[\d.eE+-]*/g)) {
      pre.append(source.slice(from, match.index));
      const kind = match[1] ? "key" : match[0][0] === '"' ? "string" : "other";
      pre.append(el("span", { className: kind, textContent: match[0] }));
      from = match.index + match[0].length;
    }
    pre.append(source.slice(from));
    return pre;
  };
  const line = (event) => {
    const data = event.data || {};
    const what = el("p", { className: "what" }, texts[`types.${event.type}`] || "");
    const name = data.kind === "organization" ? data.organization : data.name;
    if (name) what.append(" · ", el("b", { textContent: name }));
    if (data.partner && data.partner.name) what.append(" · ", texts.by.replace("{partner}", data.partner.name));
    return what;
  };
  const webhook = (message) => {
    const event = parse(message.body);
    const card = el("li", { className: "webhook" });
    card.append(el("div", { className: "top" }, el("code", { textContent: event ? event.type : "POST" }),
      event && event.test ? el("span", { className: "tag", textContent: texts.test }) : null, when(message.received_at)));
    if (event) card.append(line(event));
    card.append(el("p", { className: message.verified ? "seal good" : "seal bad" },
      el("span", { ariaHidden: "true", textContent: message.verified ? "✓" : "✗" }), message.verified ? texts.verified : texts.unverified));
    if (event && event.type === "signature.confirmed" && event.data.kind === "organization" && !event.test && approve) {
      card.append(el("p", { className: "review" }, texts.review, el("code", { textContent: `${approve} ${event.data.id}` })));
    }
    card.append(
      el("details", {}, el("summary", { textContent: texts.headers }), el("pre", { tabIndex: 0, textContent: Object.entries(message.headers).map(([key, value]) => `${key}: ${value}`).join("\n") })),
      el("details", { className: "body" }, el("summary", { textContent: texts.body }), event ? coloured(event) : el("pre", { textContent: message.body })));
    return card;
  };

  // --- Mails: as a mail program shows them, in a frame where nothing runs ---
  const mail = (message) => {
    const { file, from, to, subject } = message.headers;
    const frame = el("iframe", { title: subject, src: `/mail/${encodeURIComponent(file)}`, loading: "lazy" });
    frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox allow-same-origin");
    frame.onload = () => {
      const page = frame.contentDocument;
      for (const link of page.links) link.target = "_blank";
      const fit = () => { frame.style.height = `${page.documentElement.scrollHeight}px`; };
      new ResizeObserver(fit).observe(page.documentElement);
    };
    return el("li", { className: "mail" },
      el("p", { className: "subject", textContent: subject }),
      el("p", { className: "people" }, `${from} → ${to}`, " ", when(message.received_at)),
      frame,
      el("details", {}, el("summary", { textContent: texts.plain }), el("pre", { tabIndex: 0, textContent: message.body })));
  };

  // --- The lists, newest first ---
  const cards = { mail, slack, webhook };
  const counts = { mail: 0, slack: 0, webhook: 0 };
  let newest = 0;
  let settled = false;
  const show = (message) => {
    if (message.number <= newest) return;
    newest = message.number;
    const kind = message.kind in cards ? message.kind : "webhook";
    const list = document.getElementById(`${kind}-list`);
    const card = cards[kind](message);
    if (settled) card.classList.add("new");
    const before = list.firstElementChild && list.firstElementChild.querySelector("details.body");
    if (before && !before.dataset.kept) before.open = false;
    const body = card.querySelector("details.body");
    if (body) {
      body.open = true;
      body.querySelector("summary").addEventListener("click", () => { body.dataset.kept = "yes"; });
    }
    list.prepend(card);
    list.parentElement.classList.add("has");
    document.getElementById(`${kind}-count`).textContent = ++counts[kind];
  };

  for (const button of document.querySelectorAll("nav button")) {
    button.addEventListener("click", () => {
      document.body.dataset.show = button.dataset.show;
      for (const other of document.querySelectorAll("nav button")) other.setAttribute("aria-pressed", String(other === button));
    });
  }

  const state = document.getElementById("state");
  const stream = new EventSource("/stream");
  stream.onopen = () => { state.textContent = texts.live; state.classList.add("on"); };
  stream.onerror = () => { state.textContent = texts.waiting; state.classList.remove("on"); };
  stream.addEventListener("caught-up", () => { settled = true; });
  stream.onmessage = (event) => show(JSON.parse(event.data));
})();
