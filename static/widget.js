/*
 * <undersigned-letter>: an open letter's form, its signatories or its count, in anybody's page.
 *
 * It holds no text and no rule: texts, fields and their order come with the configuration, and what is wrong with a
 * signature is for the server to say. The arguments in the last line are what the server puts in: the origin to talk
 * to (never read from script.src, since optimizers re-host scripts), the style sheet and, in /w/TOKEN.js, one
 * partner's configuration and the counts, so that a single request draws the form. /widget.js comes without a
 * configuration and fetches GET /v1/widget/TOKEN. What is needed later, or never, is in more.js, whose name comes too.
 *
 * One thing must stay true: what others wrote only ever becomes a text node or an attribute, never markup.
 */
(function (config, css, extra, counts) {
  const NAME = "undersigned-letter";
  const known = customElements.get(NAME);
  // A second copy on the page only hands over the letter that it brought; the first one draws them all.
  if (known) return known.learn?.(config, counts);

  /* ---- what is known of letters ---- */

  const letters = {}; // configurations, or promises of them, by attribution token
  let origin; // set by a copy that came without a configuration: only then may one be fetched

  const learn = (config, counts) => {
    if (config.token) letters[config.token] ||= Object.assign(config, { counts });
    else origin = config.api;
    upgrade([{ attributeName: "lang" }]);
  };

  /** Status, JSON and headers of an answer. Throws where there is none within 15 s, or a captive portal's page. */
  const call = async (url, options) => {
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), 15000);
    try {
      // No header of our own, and a form as the body: no preflight. No credentials: no cookie either way.
      const answer = await fetch(url, { credentials: "omit", signal: stop.signal, ...options });
      return [answer.status, await answer.json(), answer.headers];
    } finally {
      clearTimeout(late);
    }
  };

  /** What is there now. The browser asks with the ETag of what it holds; then nothing is sent twice. */
  const get = async (url) => {
    const [status, answer] = await call(url, { cache: "no-cache" });
    if (status > 299) throw answer;
    return answer;
  };

  /** The configuration for `token`, or nothing: then the link in the page stays as it is. */
  const load = (token) => {
    if (origin != null && token) {
      letters[token] ||= get(`${origin}/v1/widget/${encodeURIComponent(token)}`).catch(() => (letters[token] = null));
    }
    return letters[token];
  };

  /** What is loaded on demand. A browser may remember that an address failed: the next time it is another. */
  let tried = "";
  const more = () =>
    import(config.api + "/" + extra + tried).catch((error) => {
      tried += "?";
      throw error;
    });

  /** What `#undersigned.email=…` in the page's address says, by field: read once, then gone from the address. */
  const given = {};
  const read = () => {
    const [page, hash] = location.href.split("#");
    const parts = hash ? hash.split("&") : [];
    const others = parts.filter((part) => {
      const [[name, value]] = [...new URLSearchParams(part), [""]];
      return name.startsWith("undersigned.") ? void (given[name.slice(12)] = value) : true;
    });
    if (others.length < parts.length) history.replaceState(history.state, "", [page, ...others].join("#"));
    return given;
  };

  /** Ends a task: in several short ones, a slow phone paints and answers in between. */
  const turn = () => new Promise((done) => setTimeout(done));

  /* ---- building ---- */

  const fill = (text, values) => text.replace(/{(\w+)}/g, (whole, key) => values[key] ?? whole);

  /** `url` where it leads to a page or a mail, else nothing: "javascript:" and the like become no link. */
  const safe = (url) => /^(https?|mailto):/i.test(url) && url;

  /**
   * A node with `name` as its class and its ::part. An object in `parts` gives attributes (its strings) and
   * properties (its other values), anything else is a child; what is false or empty is left out.
   */
  const el = (tag, name, ...parts) => {
    const node = document.createElement(tag);
    if (name) node.className = node.part = name;
    for (const part of parts) {
      if (part?.constructor == Object) {
        for (const key in part) {
          if (typeof part[key] == "string") node.setAttribute(key, part[key]);
          else node[key] = part[key];
        }
      } else if (part) node.append(part);
    }
    return node;
  };

  const button = (name, text, onclick) => el("button", name, { type: "button", onclick }, text);

  /** What leads away from what was typed opens beside it. */
  const link = (href, ...parts) => el("a", "link", { href, target: "_blank" }, ...parts);

  // The native control that suits a field, and the autocomplete token by which browsers fill it (WCAG 1.3.5).
  // A field that is not named here is a box to tick.
  const CONTROLS = {
    country: "select country",
    name: "text name",
    email: "email email",
    organization: "text organization",
    organization_website: "url url",
    role: "text organization-title",
    city: "text address-level2",
    postal_code: "text postal-code",
    comment: "textarea off",
  };

  /* ---- sending ---- */

  /** Sends until there is an answer: once more for what may pass by itself, and again after work that is asked for. */
  const post = async (api, body, say) => {
    for (let tries = 2, sums = 2; ; ) {
      let status = 0;
      let answer = {};
      let wait = 1;
      try {
        const [code, got, headers] = await call(api + "/v1/signatures", { method: "POST", body });
        status = code;
        answer = Object(got); // "null" is JSON, too
        wait = +headers.get("Retry-After") || 1;
      } catch {
        // It may have arrived all the same: by its id the server knows it again.
      }
      if (answer.solver && sums--) {
        try {
          const { solve } = await import(api + "/" + answer.solver);
          say(answer.detail);
          body.set("pow", await solve(answer.challenge));
          continue;
        } catch {
          // Where the solver does not load, there is waiting.
        }
      }
      if (![0, 429, 503].includes(status) || wait > 9 || !--tries) return [status, answer, wait];
      await new Promise((done) => setTimeout(done, wait * (1000 + Math.random() * 300)));
    }
  };

  /** A UUID of version 4; crypto.randomUUID is missing on http:// pages. */
  const uuid = () =>
    "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
      (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16),
    );

  /* ---- one widget ---- */

  /** Everything that happens inside `host`. Gives the function that draws it, and draws again what has changed. */
  const widget = (host) => {
    let letter, words, locale, view, other, root, box, look;
    let stage; // "" the form, "thanks", or why there is no form
    let kind = "individual";
    const values = {}; // what was typed, by field: outlives a change of language
    let fields; // what is drawn, by field
    let count, form, asked, summary, sign, status;
    let id = uuid(); // one for each signature, the same on every try
    let answer = {};
    let drawn, busy;

    /** An attribute of the element, or of the placeholder that it stands in (there with "data-" in front). */
    const setting = (name) =>
      host.getAttribute(name) ??
      host.closest("[data-undersigned]")?.getAttribute("data-" + (name == "token" ? "undersigned" : name));

    const hides = (part) => (setting("hide") || "").includes(part);

    const emit = (name, detail) =>
      host.dispatchEvent(
        new CustomEvent("undersigned:" + name, { detail, bubbles: true, composed: true, cancelable: true }),
      );

    /** A heading's tag: the title's, or that of what stands below it. */
    const level = (below) => "h" + ((+setting("heading-level") || 2) + (below && !hides("title")));

    const heading = (below, name, text) => el(level(below), name, { tabIndex: -1 }, text);

    /** Numbers as the texts write them: the browser's own ways (Intl) take a slow phone 100 ms to wake up. */
    const number = (text, count) =>
      fill(text[words.ones.split(" ").includes(count + "") ? "one" : "other"] || text, {
        count: (count + "").replace(/\B(?=(\d{3})+$)/g, words.thousand[1]),
      });

    /** The way to the letter's own page, which credits the same partner. */
    const elsewhere = () => link(letter.link, words.page);

    const say = (text) => (status.textContent = text || "");

    /** Has more.js put a `part` of its own into `place`. What it may use of us is in here. */
    const add = async (part, place, wait) => {
      const kit = { host, letter, words, locale, view, answer, kind, level, heading, elsewhere, hides, emit, say };
      try {
        await (await more())[part](place, { ...kit, wait, mark, mend, recount, el, button, link, safe, get });
      } catch {
        if (/text|follow/.test(part)) place.append(elsewhere());
      }
    };

    /** A node that more.js goes on with. */
    const later = (part, ...node) => {
      const place = el(...node);
      add(part, place);
      return place;
    };

    const update = async () => {
      const token = setting("token");
      const found = await load(token);
      if (!root) await turn();
      if (!found || !host.isConnected) return;
      const lang = (setting("lang") || host.closest("[lang]")?.lang || "").toLowerCase();
      const locales = Object.keys(found.texts);
      locale = [lang, lang.split("-")[0]].find((tag) => locales.includes(tag)) || locales[0];
      view = setting("view");
      // Where light text is inherited the page is dark, whether it declares a color-scheme or not.
      const theme = setting("theme");
      const color = getComputedStyle(host).color;
      const [first, second] = color.match(/[\d.]+/g);
      const light = /^rgb/.test(color) ? second > 140 : first > 0.6;
      box = theme == "dark" || (theme != "light" && light) ? "box dark" : "box";
      const next = [token, locale, view] + "";
      if (next == look) return void (root && (root.firstChild.className = box));
      look = next;
      if (letter != found) stage = found.notice;
      letter = found;
      words = Object.fromEntries(letter.words.split(" ").map((word, i) => [word, letter.texts[locale][i]]));
      keep();
      fields = {};
      other = view == "list" || view == "count";
      // The first time, the fields are made in a task of their own, before anything is shown.
      if (!root && !other && !stage) {
        fitting();
        await turn();
      }
      draw();
    };

    const draw = (focus) => {
      keep();
      status = el("p", "status", { role: "status" });
      const first = !root;
      root ||= host.attachShadow({ mode: "open" });
      root.replaceChildren(
        el(
          "div",
          box,
          // By the first letter in it, the title's: another script may run from right to left.
          { lang: words.tag, dir: "auto" },
          setting("test") != null && later("trial", "p", "test"),
          !hides("title") && heading(0, "title", words.title),
          !hides("counter") && (count = counter()),
          other ? later("follow", "div", "list") : stage ? aside() : ask(),
          status,
        ),
      );
      try {
        // A page's policy may forbid <style>, not an adopted sheet.
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        root.adoptedStyleSheets = [sheet];
      } catch {
        root.append(el("style", "", css)); // Safari before 16.4
      }
      // The height kept free in the page was the form's.
      const place = (stage || other) && host.closest("[data-undersigned]");
      if (place) place.style.minHeight = 0;
      if (focus) root.querySelector(".landing").focus();
      if (first) emit("ready");
    };

    const counter = () => {
      const { goal, counts } = letter;
      return el(
        "div",
        "counter", el("strong", "", number(words.count, counts.total)),
        goal > counts.total && " " + number(words.goal, goal),
        goal && el("progress", "progress", { max: goal, value: Math.min(counts.total, goal), "aria-hidden": "true" }),
      );
    };

    const recount = (counts) => {
      letter.counts = counts;
      count?.replaceWith((count = counter()));
    };

    /* the form */

    const ask = () => {
      drawn ||= performance.now();
      summary = el("div", "errors", { tabIndex: -1, hidden: true, role: "group", "aria-label": words.problem });
      asked = el("div", "fields");
      sign = button("button", words.sign, send);
      arrange();
      const choice = (value) =>
        el(
          "label",
          "choice", el("input", "", {
            type: "radio",
            name: "kind",
            value,
            checked: value == kind,
            onchange() {
              kind = value;
              for (const name in fields) if (fields[name].line) mark(name, "");
              arrange();
            },
          }),
          words["kind_" + value],
        );
      form = el(
        "form",
        "form",
        { noValidate: true, "aria-label": words.title },
        reading(),
        summary,
        el("fieldset", "choices", el("legend", "label", words.kind), choice("individual"), choice("organization")),
        asked,
        // A trap for robots: nobody sees it, no browser fills it.
        el("div", "trap", { "aria-hidden": "true" }, el("input", "", { name: "hp_contact_2", autocomplete: "off", tabIndex: -1 })),
        el("p", "end", sign, link(letter.url + "/privacy", words.privacy)),
      );
      // Whoever begins to write will want to know what comes afterwards.
      form.addEventListener("focusin", () => more().catch(() => {}), { once: true });
      // What is mended is no longer called wrong.
      form.oninput = ({ target }) => mark(target.name, "");
      // Enter sends by itself: a sandboxed frame forbids submitting, and a form around us must not be submitted in
      // our place. The page's own shortcuts must not hear what is typed.
      form.onkeydown = (event) => {
        const enter = event.key == "Enter" && event.target.matches("input");
        if (enter || event.key.length < 2) event.stopPropagation();
        if (enter && !event.isComposing) {
          event.preventDefault();
          send();
        }
      };
      return form;
    };

    /** Asks what fits a person or an organization, and nothing else. */
    const arrange = () => asked.replaceChildren(...fitting());

    const fitting = () => letter.fields[kind].split(" ").map(field);

    /** A field by its name, with a star behind it where it must be filled. */
    const field = (spec) => {
      const name = spec.replace("*", "");
      const required = name != spec;
      const [type, autocomplete] = (CONTROLS[name] || "checkbox off").split(" ");
      const tick = type == "checkbox";
      const said = (what) => words[kind + "_" + what] || words[what] || "";
      if (!fields[name]) {
        const control = el(/^[st]e(l|x.*a)/.test(type) ? type : "input", "input", {
          id: name,
          name,
          type,
          autocomplete,
          "aria-invalid": "false",
          "aria-describedby": `${name}-error ${name}-hint`,
        });
        const label = el("span");
        const hint = el("p", "hint", { id: name + "-hint" });
        const error = el("p", "error", { id: name + "-error", "aria-live": name == "country" && "polite" });
        const caption = el("label", tick ? "consent" : "label", { for: name }, tick && control, label);
        const node = el("div", "field " + type, caption, hint, error, !tick && control);
        fields[name] = { node, label, hint, control, error };
        const key = name.replace("_", "-");
        const typed = values[name] ?? setting("prefill-" + key) ?? read()[key] ?? "";
        if (name == "country") node.append(countries(control, typed));
        if (tick) {
          control.value = name != "public";
          control.checked = typed === true;
        } else {
          control.value = typed;
        }
        control.onchange?.();
      }
      const { node, label, hint, control } = fields[name];
      label.textContent = said(name) + (required || tick ? "" : " " + words.optional);
      hint.textContent = said("hint_" + name);
      control.required = required;
      return node;
    };

    /** Fills the list of countries, the statements' own first. Gives the statement that the chosen one leads to. */
    const countries = (control, chosen) => {
      const { statements, countries } = letter;
      const first = statements.flatMap((statement) => statement.countries).filter((code) => code != "*");
      let names;
      const option = (value) =>
        el("option", "", { value }, (names ||= new Intl.DisplayNames(words.tag, { type: "region" })).of(value));
      // Some 250 names take a slow phone a while: they come after the form, in turns, unless one is chosen already.
      const list = async () => {
        if (!chosen) await turn();
        // The browser's own ways (Intl) wake up in two halves, each a task of its own.
        const { compare } = new Intl.Collator(words.tag);
        if (!chosen) await turn();
        control.append(...first.map(option), el("hr"));
        const others = [];
        for (const row of countries.split(" ")) {
          if (!chosen && others.length % 3 == 0) await turn();
          for (const letter of row.slice(1)) if (!first.includes(row[0] + letter)) others.push(option(row[0] + letter));
        }
        if (!chosen) await turn();
        control.append(...others.sort((a, b) => compare(a.text, b.text)));
      };
      control.append(el("option", "", { value: "" }, words.choose));
      list();
      const declared = el("div", "statement", { "aria-live": "polite" });
      control.onchange = () => {
        const { value } = control;
        const covers = (code) => statements.find((statement) => statement.countries.includes(code));
        const statement = value ? covers(value) || covers("*") : !statements[1] && statements[0];
        declared.replaceChildren(
          el("p", "hint", statement ? words.declare : words.which),
          statement ? el("blockquote", "", words.statements[statement.code]) : "",
        );
        mark("country", "");
        if (value && !statement) add("uncovered", control.selectedOptions[0]);
      };
      return declared;
    };

    /** Keeps what was typed. */
    const keep = () => {
      for (const name in fields) {
        const { control } = fields[name];
        values[name] = control[control.type == "checkbox" ? "checked" : "value"];
      }
    };

    /** "Read the letter": its text opens in here. */
    const reading = () => {
      const text = el("div", "letter", { role: "region", tabIndex: 0, hidden: true, "aria-label": words.read });
      const toggle = button("quiet", words.read, () => {
        text.hidden = !text.hidden;
        toggle.ariaExpanded = !text.hidden;
        if (!text.children[1]) add("text", text);
      });
      toggle.ariaExpanded = false;
      return el("div", "reading", toggle, text);
    };

    const send = async () => {
      if (busy || !emit("submit")) return;
      busy = true;
      sign.ariaDisabled = true;
      say(words.sending);
      const slow = setTimeout(() => say(words.slow), 5000);
      const query = new URLSearchParams(location.search);
      const body = new URLSearchParams(new FormData(form));
      // In a frame of ours, the page is the one around it, as far as it lets us know.
      const framed = letter.api.startsWith(location.origin) && document.referrer;
      const page = framed ? new URL(framed) : location;
      const rest = {
        token: letter.token,
        id,
        replaces: answer.replaces,
        locale,
        shown: letter.shown,
        elapsed: Math.round(performance.now() - drawn),
        page: page.origin + page.pathname,
        source: setting("source") || query.get("source") || query.get("utm_source"),
        test: setting("test") != null,
      };
      for (const key in rest) if (rest[key]) body.set(key, rest[key]);
      const [code, got, wait] = await post(letter.api, body, say);
      clearTimeout(slow);
      busy = false;
      sign.ariaDisabled = false;
      say();
      const { title, errors, letter_url, counts, statement } = got;
      if (got.id) {
        answer = got;
        id = uuid();
        letter.counts = counts;
        stage = "thanks";
        draw(true);
        const to = setting("redirect");
        const going = emit("signed", { id: got.id, status: got.status, statement, counts });
        if (going && to && safe(link(to).href)) location.assign(to);
      } else if (code == 409 || letter_url) {
        stage = title;
        letter.link = letter_url || letter.link;
        draw(true);
        emit("error", { status: code });
      } else {
        problem(errors || [], title || words.unreachable, wait > 1 && !got.solver && wait);
        if (errors) emit("invalid", { fields: errors.map((error) => error.field) });
        else emit("error", { status: code });
      }
    };

    /** Says beside a field what is wrong with it, or nothing any more: then its line in the summary goes, too. */
    const mark = (name, message) => {
      const found = fields[name];
      if (!found) return;
      found.error.textContent = message;
      found.control.ariaInvalid = !!message;
      if (found.line) {
        found.line = found.line.remove();
        summary.hidden = !summary.querySelector("li");
      }
    };

    /** "Try again", after `wait` seconds that more.js counts down. */
    const retry = (wait) => {
      const node = button("quiet", words.retry, () => node.ariaDisabled == "true" || send());
      if (wait) add("pause", node, wait);
      return node;
    };

    /** The summary above the form, with a way to each field, and the same words beside the field. */
    const problem = (errors, message, wait) => {
      const order = letter.fields[kind];
      for (const name in fields) mark(name, "");
      errors.sort((a, b) => order.indexOf(a.field) - order.indexOf(b.field));
      summary.replaceChildren(
        heading(1, "", words.problem),
        errors[0]
          ? el(
              "ul",
              "", ...errors.map(({ field, message }) => {
                mark(field, message);
                const lead = (event) => {
                  event.preventDefault(); // no address leads into a shadow root
                  fields[field].control.focus();
                };
                const found = fields[field] || {};
                const way = found.node ? link("#" + field, message, { onclick: lead, target: "" }) : message;
                return (found.line = el("li", "", way));
              }),
            )
          : el("p", "end", message, retry(wait), elsewhere()),
      );
      summary.hidden = false;
      summary.focus();
    };

    /* afterwards, and where there is no form */

    const aside = () => {
      if (stage != "thanks") {
        return el("div", "closed", el("p", "landing", { tabIndex: -1 }, words.notice || stage), elsewhere());
      }
      return later(
        "after",
        "div",
        answer.status == "pending" ? "confirm" : "thanks", heading(1, "landing", words.thanks),
        el("p", "", fill(number(words.thanked, letter.counts.total), values)),
      );
    };

    /** Back to the form, to correct the address. */
    const mend = () => {
      stage = "";
      draw();
      fields.email.control.focus();
    };

    return update;
  };

  /* ---- in the page ---- */

  /** Puts an element into each placeholder. Runs whenever the page changes: single-page apps insert late. */
  const upgrade = (changes) => {
    for (const place of document.querySelectorAll("[data-undersigned]")) {
      const letter = place.querySelector(":scope>" + NAME) || place.appendChild(document.createElement(NAME));
      // The link in the placeholder moves in: it shows until there is a form to show, and where there never is one.
      for (const node of [...place.childNodes]) if (node != letter) letter.append(node);
    }
    if (changes.some((change) => change.attributeName)) {
      for (const letter of document.querySelectorAll(NAME)) letter.update();
    }
  };

  const watch = new MutationObserver(upgrade);
  watch.observe(document, {
    childList: true,
    subtree: true,
    attributeFilter: ["lang", "data-lang", "data-view", "data-theme"],
  });

  customElements.define(
    NAME,
    class extends HTMLElement {
      static learn = learn;
      static observedAttributes = ["token", "lang", "view", "theme"];
      update = widget(this);

      connectedCallback() {
        // Where a page turns dark, it says so in one of these.
        for (const node of [document.documentElement, document.body]) watch.observe(node, { attributes: true });
        this.update();
      }

      attributeChangedCallback() {
        this.update();
      }
    },
  );
  matchMedia("(prefers-color-scheme:dark)").onchange = () => upgrade([{ attributeName: "class" }]);
  learn(config, counts);
})({ api: "" }, "", "");
