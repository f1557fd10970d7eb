/*
 * What the widget needs later, or never: the letter's text, what comes after signing, and who has signed.
 *
 * Loaded by `import()` from the server that the widget talks to, once somebody begins to write, opens the letter or
 * where a page shows a list or a count. Each export puts its part into a `place`; what it may use of the widget is in
 * `kit` (widget.js, "add"). The last line is what the server puts in: the style sheet, and the texts by language.
 *
 * One thing must stay true: nobody asks the server again and again for what nobody looks at.
 */
const PACE = 30000; // ms, between two looks at what may have changed
const PAGE = 50; // names
const PAUSE = 300; // ms without a key, before names are looked for

const words = (kit) => SERVED.texts[kit.words.tag.slice(0, 2)];

let sheet;

/** Adds the style of what is drawn here, as the widget adds its own; once, whoever asks first. */
const dress = ({ host, el }) => {
  const root = host.shadowRoot;
  try {
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(SERVED.css);
    root.adoptedStyleSheets = [...new Set([...root.adoptedStyleSheets, sheet])];
  } catch {
    root.append(el("style", "", SERVED.css)); // Safari before 16.4
  }
};

/** Says that nothing counts here. */
export const trial = (place, kit) => {
  dress(kit);
  place.append(words(kit).test);
};

/* ---- "read the letter" ---- */

/** Text, and strong, em, code and links around text, as GET /v1/letters/SLUG/text has them. */
const runs = (kit, list = []) =>
  list.map(({ type, text, href, children }) => {
    if (!children) return text;
    const inside = runs(kit, children);
    if (type != "link") return kit.el(type, "", ...inside);
    return kit.safe(href) ? kit.link(href, ...inside) : kit.el("span", "", ...inside);
  });

/** The letter, block by block. */
export const text = async (place, kit) => {
  const { el, get, level, letter, locale } = kit;
  dress(kit);
  const { intro, body } = await get(`${letter.api}/v1/letters/${letter.slug}/text?locale=${locale}`);
  const tags = { heading: level(1), rule: "hr", quote: "blockquote", code: "pre" };
  place.replaceChildren(
    ...[...intro, ...body].map(({ type, children, marker, depth }) => {
      const node = el(tags[type] || "p", "", marker && marker + " ", ...runs(kit, children));
      if (depth) node.style.marginInlineStart = depth + "em";
      return node;
    }),
  );
};

/* ---- a country that no statement covers ---- */

/** Says so beside the field, unless another country was chosen meanwhile. */
export const uncovered = (option, kit) => {
  if (option.selected) kit.mark("country", words(kit).uncovered.replace("{country}", option.text));
};

/* ---- too many at once ---- */

/** Until it may be pressed again, the button says how long that is. */
export const pause = (button, { wait, words }) => {
  const tick = () => {
    button.ariaDisabled = wait > 0;
    button.textContent = words.retry + (wait > 0 ? ` (${(wait / 60) | 0}:${(wait % 60 + "").padStart(2, 0)})` : "");
    if (wait-- > 0) setTimeout(tick, 1000);
  };
  tick();
};

/* ---- after signing ---- */

/** Below the thanks: what happens next, a way to mend the address, and ways to tell others. */
export const after = (place, kit) => {
  const { el, button, letter, kind, answer, mend, hides } = kit;
  dress(kit);
  const { review, spam, mend: correct } = words(kit);
  place.append(
    ...[
      kind == "organization" && letter.review && el("p", "", review),
      answer.status == "pending" && el("p", "hint", spam),
      answer.status == "pending" && button("quiet", correct, mend),
      !hides("share") && share(kit),
    ].filter(Boolean),
  );
};

/** Each way has a source of its own, so that the letter's people see which of them brings others. */
const share = (kit) => {
  const { el, button, link, heading, letter, emit, say } = kit;
  const { share, share_text: text, copy, copied, more, mail } = words(kit);
  const { title } = kit.words;
  const url = (channel) => `${letter.link}&source=${channel}`;
  const shared = (channel) => void emit("share", { channel });
  const address = el("input", "input", { readOnly: true, value: url("copy"), "aria-label": share });
  const letterhead = `subject=${encodeURIComponent(title)}&body=${encodeURIComponent(text + "\n\n" + url("mail"))}`;
  return el(
    "div",
    "share",
    heading(1, "", share),
    address,
    el(
      "p",
      "end",
      button("quiet", copy, () => {
        address.select();
        // The clipboard API is missing on http:// pages. Where this fails, too, the address is selected.
        if (document.execCommand("copy")) say(copied);
        shared("copy");
      }),
      navigator.share &&
        button("quiet", more, () => {
          navigator.share({ title, text, url: url("native") }).catch(() => {});
          shared("native");
        }),
      link("mailto:?" + letterhead, mail, { onclick: () => shared("mail"), target: "" }),
    ),
  );
};

/* ---- the other views ---- */

/** A fresh count and, for the list, who has signed; both follow along for as long as somebody looks. */
export const follow = async (place, kit) => {
  const { el, get, letter, locale, recount } = kit;
  dress(kit);
  const url = `${letter.api}/v1/letters/${letter.slug}`;
  const look = async () => {
    const { counts, statements } = await get(`${url}?locale=${locale}`);
    recount(counts);
    return statements;
  };
  const statements = await look();
  let lists = [];
  if (kit.view == "list") {
    const filter = el("input", "input", { id: "filter", type: "search", autocomplete: "off" });
    lists = statements.map((statement) => list(url, statement, filter, kit));
    let pause;
    filter.oninput = () => {
      clearTimeout(pause);
      pause = setTimeout(() => lists.forEach((list) => list.start()), PAUSE);
    };
    filter.onkeydown = (event) => {
      if (event.key.length < 2) event.stopPropagation(); // the page's own shortcuts must not hear what is typed
    };
    place.append(
      el("div", "field", el("label", "label", { for: "filter" }, words(kit).filter), filter),
      ...lists.map((list) => list.node),
    );
    await Promise.all(lists.map((list) => list.start()));
  }
  attend(kit.host, place, async () => {
    const fresh = await look();
    await Promise.all(lists.map((list, i) => list.renew(fresh[i].count)));
  });
};

/** One statement's names, page by page. What has been opened stays open when it is read again. */
const list = (url, { code, list_title, count }, filter, kit) => {
  const { el, button, get, heading, elsewhere } = kit;
  const said = words(kit);
  const names = el("ul");
  const note = el("p", "hint", { role: "status" });
  let pages = [];
  let turn = 0; // an answer that was overtaken by another question is dropped

  const page = (after) =>
    get(
      `${url}/signatories?statement=${code}&limit=${PAGE}&q=${encodeURIComponent(filter.value)}` +
        (after ? "&after=" + after : ""),
    );

  const read = async (number, before = []) => {
    const mine = ++turn;
    const found = [...before];
    try {
      do found.push(await page(found.at(-1)?.next));
      while (found.length < number && found.at(-1).next);
    } catch {
      if (!pages[0]) note.replaceChildren(elsewhere());
      return;
    }
    if (mine != turn) return;
    pages = found;
    names.replaceChildren(
      ...pages.flatMap(({ signatories, initiators }) =>
        signatories.map(({ name, role, organization }, i) => {
          const who = [name, role, organization].filter(Boolean).join(", ");
          const mark = i < initiators && el("span", "hint", said.initiator);
          return el("li", "", { tabIndex: -1 }, mark ? el("span", "first", who) : who, mark && " ", mark);
        }),
      ),
    );
    more.hidden = !pages.at(-1).next;
    note.textContent = names.firstChild ? "" : filter.value ? said.none : said.empty;
  };

  const more = button("quiet", said.next, async () => {
    const { length } = names.children;
    await read(pages.length + 1, pages);
    names.children[length]?.focus(); // the first that is new
  });
  more.hidden = true;
  return {
    node: el("section", "", heading(1, "", list_title), names, note, more),
    start: () => read(1),
    renew: async (now) => {
      if (now != count) await read(pages.length);
      count = now;
    },
  };
};

/** Calls `renew` at most every PACE, and only while `host` is on the screen and the page in front. */
const attend = (host, place, renew) => {
  let seen, timer;
  let last = performance.now();
  const look = async () => {
    clearTimeout(timer);
    if (!place.isConnected) {
      observer.disconnect();
      document.removeEventListener("visibilitychange", look);
    } else if (seen && !document.hidden) {
      // A crowd that came at once does not come back at once.
      const wait = last + PACE * (1 + Math.random() / 5) - performance.now();
      if (wait > 0) timer = setTimeout(look, wait);
      else {
        last = performance.now();
        await renew().catch(() => {}); // what is shown stays, until the next time
        look();
      }
    }
  };
  const observer = new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    look();
  });
  observer.observe(host);
  document.addEventListener("visibilitychange", look);
};

const SERVED = {};
