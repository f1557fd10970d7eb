/*
 * <undersigned-letter>: an open letter's form, its signatories or its count, in anybody's page.
 *
 * It holds no text and no rule: texts, fields and their order come with the configuration, and what is wrong with a
 * signature is for the server to say. The arguments in the last line are what the server puts in: the origin to talk
 * to (never read from script.src, since optimizers re-host scripts), the style sheet and, in /w/TOKEN.js, one
 * partner's configuration and the counts, so that a single request draws the form. /widget.js comes without a
 * configuration and fetches GET /v1/widget/TOKEN.
 *
 * One thing must stay true: what others wrote only ever becomes a text node or an attribute, never markup.
 */
(function (config, css, counts) {
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

  const get = async (url) => {
    const answer = await fetch(url, { credentials: "omit" });
    if (!answer.ok) throw answer;
    return answer.json();
  };

  /** The configuration for `token`, or nothing: then the link in the page stays as it is. */
  const load = (token) => {
    if (origin != null && token) {
      letters[token] ||= get(`${origin}/v1/widget/${encodeURIComponent(token)}`).catch(() => (letters[token] = null));
    }
    return letters[token];
  };

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

  /** Text, and strong, em, code and links around text, as GET /v1/letters/SLUG/text has them. */
  const runs = (list = []) =>
    list.map(({ type, text, href, children }) =>
      children
        ? safe(href)
          ? link(href, ...runs(children))
          : el(type == "link" ? "span" : type, "", ...runs(children))
        : text,
    );

  const prose = (blocks, heading) =>
    blocks.map(({ type, children, marker, depth }) => {
      const tag = { heading, rule: "hr", quote: "blockquote", code: "pre" }[type] || "p";
      const node = el(tag, "", marker && marker + " ", ...runs(children));
      if (depth) node.style.marginInlineStart = depth + "em";
      return node;
    });

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

  /** Sends until there is an answer: 15 s a try, and two more tries for what may pass by itself, or by work. */
  const post = async (api, body, said) => {
    for (let tries = 3; ; ) {
      let status = 0;
      let answer = {};
      let wait = 1;
      try {
        // No header of our own and a form as the body: no preflight. No credentials: no cookie either way.
        const response = await fetch(api + "/v1/signatures", {
          credentials: "omit",
          method: "POST",
          body,
          signal: AbortSignal.timeout?.(15000), // Safari before 16 has only its own patience
        });
        wait = +response.headers.get("Retry-After") || 1;
        answer = await response.json();
        status = response.status;
      } catch {
        // No network, no answer in time, or a captive portal's page in place of JSON.
      }
      if (answer.solver) {
        try {
          const { solve } = await import(api + "/" + answer.solver);
          said.textContent = answer.detail;
          body.set("pow", await solve(answer.challenge));
          wait = 0;
        } catch {
          // Where the solver does not load, there is waiting.
        }
      }
      if (![0, 429, 503].includes(status) || wait > 9 || !--tries) return [status, answer];
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
    let letter, words, locale, view, box, look;
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

    const number = (text, count) =>
      fill(text[new Intl.PluralRules(words.tag).select(count)] || text.other || text, {
        count: count.toLocaleString(words.tag),
      });

    /** The way to the letter's own page, which credits the same partner. */
    const elsewhere = () => link(letter.link, words.page);

    const update = async () => {
      const token = setting("token");
      const found = await load(token);
      if (!found || !host.isConnected) return;
      const lang = (setting("lang") || host.closest("[lang]")?.lang || "").toLowerCase();
      const has = (tag) => found.locales.includes(tag) && tag;
      locale = has(lang) || has(lang.split("-")[0]) || found.locales[0];
      view = setting("view");
      // Where light text is inherited the page is dark, whether it declares a color-scheme or not.
      const theme = setting("theme");
      const color = getComputedStyle(host).color;
      const [first, second] = color.match(/[\d.]+/g);
      const light = /^rgb/.test(color) ? second > 140 : first > 0.6;
      box = theme == "dark" || (theme != "light" && light) ? "box dark" : "box";
      const next = [token, locale, view, box] + "";
      if (next == look) return;
      look = next;
      if (letter != found) stage = found.notice;
      letter = found;
      words = letter.texts[locale];
      draw();
    };

    const draw = (focus) => {
      keep();
      fields = {};
      status = el("p", "status", { role: "status" });
      const first = !host.shadowRoot;
      const root = host.shadowRoot || host.attachShadow({ mode: "open" });
      root.replaceChildren(
        el(
          "div",
          box,
          { lang: words.tag, dir: "ltr" },
          setting("test") != null && el("p", "test", words.test),
          !hides("title") && heading(0, "title", words.title),
          !hides("counter") && (count = counter()),
          view == "list" || view == "count" ? follow() : stage ? aside() : ask(),
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
      const place = stage && host.closest("[data-undersigned]");
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

    /* the form */

    const ask = () => {
      drawn ||= performance.now();
      summary = el("div", "errors", { tabIndex: -1, hidden: true });
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
    const arrange = () => asked.replaceChildren(...letter.fields[kind].split(" ").map(field));

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
          "aria-describedby": `${name}-error ${name}-hint`,
        });
        const label = el("span");
        const hint = el("p", "hint", { id: name + "-hint" });
        const error = el("p", "error", { id: name + "-error" });
        const caption = el("label", tick ? "consent" : "label", { for: name }, tick && control, label);
        const node = el("div", "field " + type, caption, hint, error, !tick && control);
        fields[name] = { node, label, hint, control, error };
        const typed = values[name] ?? setting("prefill-" + name.replace("_", "-")) ?? "";
        if (name == "country") node.append(countries(control));
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
    const countries = (control) => {
      const { statements, countries } = letter;
      const names = new Intl.DisplayNames(words.tag, { type: "region" });
      const option = (value) => el("option", "", { value }, names.of(value));
      const first = statements.flatMap((statement) => statement.countries).filter((code) => code != "*");
      const rest = countries
        .split(" ")
        .flatMap((row) => [...row.slice(1)].map((letter) => row[0] + letter))
        .filter((code) => !first.includes(code));
      const { compare } = new Intl.Collator(words.tag);
      control.append(
        el("option", "", { value: "" }, words.choose),
        ...first.map(option),
        el("hr"),
        ...rest.map(option).sort((a, b) => compare(a.text, b.text)),
      );
      const declared = el("div", "statement", { "aria-live": "polite" });
      control.onchange = () => {
        const { value } = control;
        const covers = (code) => statements.find((statement) => statement.countries.includes(code));
        const statement = value ? covers(value) || covers("*") : !statements[1] && statements[0];
        declared.replaceChildren(
          el("p", "hint", statement ? words.declare : words.which),
          statement ? el("blockquote", "", words.statements[statement.code]) : "",
        );
        mark("country", value && !statement ? fill(words.uncovered, { country: names.of(value) }) : "");
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
      const toggle = button("quiet", words.read, async () => {
        text.hidden = !text.hidden;
        toggle.ariaExpanded = !text.hidden;
        if (text.firstChild) return;
        try {
          const { intro, body } = await get(`${letter.api}/v1/letters/${letter.slug}/text?locale=${locale}`);
          text.append(...prose([...intro, ...body], level(1)));
        } catch {
          text.append(elsewhere());
        }
      });
      toggle.ariaExpanded = false;
      return el("div", "reading", toggle, text);
    };

    const send = async () => {
      if (busy || !emit("submit")) return;
      busy = true;
      sign.ariaDisabled = true;
      status.textContent = words.sending;
      const query = new URLSearchParams(location.search);
      const body = new URLSearchParams(new FormData(form));
      const more = {
        token: letter.token,
        id,
        replaces: answer.replaces,
        locale,
        shown: letter.shown,
        elapsed: Math.round(performance.now() - drawn),
        page: location.origin + location.pathname,
        source: setting("source") || query.get("source") || query.get("utm_source"),
        test: setting("test") != null,
      };
      for (const key in more) if (more[key]) body.set(key, more[key]);
      const [code, got] = await post(letter.api, body, status);
      busy = false;
      sign.ariaDisabled = false;
      status.textContent = "";
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
        problem(errors || [], title || words.unreachable);
        if (errors) emit("invalid", { fields: errors.map((error) => error.field) });
        else emit("error", { status: code });
      }
    };

    const mark = (name, message) => {
      if (!fields[name]) return;
      const { control, error } = fields[name];
      error.textContent = message;
      control.ariaInvalid = !!message;
    };

    /** The summary above the form, with a way to each field, and the same words beside the field. */
    const problem = (errors, message) => {
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
                return el("li", "", fields[field] ? link("#" + field, message, { onclick: lead, target: "" }) : message);
              }),
            )
          : el("p", "end", message, button("quiet", words.retry, send), elsewhere()),
      );
      summary.hidden = false;
      summary.focus();
    };

    /* afterwards, and where there is no form */

    const aside = () => {
      if (stage != "thanks") {
        return el("div", "closed", el("p", "landing", { tabIndex: -1 }, words.notice || stage), elsewhere());
      }
      const pending = answer.status == "pending";
      return el(
        "div",
        pending ? "confirm" : "thanks", heading(1, "landing", words.thanks),
        el("p", "", fill(number(words.thanked, letter.counts.total), values)),
        kind == "organization" && words.review && el("p", "", words.review),
        pending &&
          button("quiet", words.mend, () => {
            stage = "";
            draw();
            fields.email.control.focus();
          }),
        !hides("share") && share(),
      );
    };

    const share = () => {
      const url = (channel) => `${letter.link}&source=${channel}`;
      const shared = (channel) => emit("share", { channel });
      const address = el("input", "input", { readOnly: true, value: url("copy"), "aria-label": words.share });
      const text = words.share_text;
      return el(
        "div",
        "share", heading(1, "", words.share),
        address,
        el(
          "p",
          "end", button("quiet", words.copy, () => {
            address.select();
            // The clipboard API is missing on http:// pages. Where this fails, too, the address is selected.
            if (document.execCommand("copy")) status.textContent = words.copied;
            shared("copy");
          }),
          navigator.share &&
            button("quiet", words.more, () => {
              navigator.share({ title: words.title, text, url: url("native") }).catch(() => {});
              shared("native");
            }),
          link(
            `mailto:?subject=${encodeURIComponent(words.title)}&body=${encodeURIComponent(text + "\n\n" + url("mail"))}`,
            words.mail,
            { onclick: () => shared("mail"), target: "" },
          ),
        ),
      );
    };

    /** The other views: a fresh count and, for the list, who has signed. */
    const follow = () => {
      const url = `${letter.api}/v1/letters/${letter.slug}`;
      const lists = el("div", "list");
      const failed = () => lists.append(elsewhere());
      get(`${url}?locale=${locale}`).then(({ counts, statements }) => {
        letter.counts = counts;
        count?.replaceWith((count = counter()));
        for (const { code, list_title } of view == "list" ? statements : []) {
          const names = el("ul");
          let after = "";
          const show = () =>
            get(`${url}/signatories?statement=${code}${after}`).then(({ signatories, next }) => {
              names.append(
                ...signatories.map(({ name, role, organization }) =>
                  el("li", "", [name, role, organization].filter(Boolean).join(", ")),
                ),
              );
              after = "&after=" + next;
              more.hidden = !next;
            }, failed);
          const more = button("quiet", words.next, show);
          lists.append(heading(1, "", list_title), names, more);
          show();
        }
      }, failed);
      return lists;
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

  customElements.define(
    NAME,
    class extends HTMLElement {
      static learn = learn;
      static observedAttributes = ["token", "lang", "view", "theme"];
      update = widget(this);

      connectedCallback() {
        this.update();
      }

      attributeChangedCallback() {
        this.update();
      }
    },
  );
  new MutationObserver(upgrade).observe(document, {
    childList: true,
    subtree: true,
    attributeFilter: ["lang", "data-lang", "data-view", "data-theme"],
  });
  learn(config, counts);
})({ api: "" }, "");
