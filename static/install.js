/*
 * The webmaster's page: copying, and colours that the preview and every snippet follow. Without it, the snippets are
 * there to be copied by hand.
 *
 * One thing must stay true: what is chosen here reaches a snippet only as a colour or a number.
 */
(() => {
  const page = document.querySelector(".install");
  const all = (selector) => [...document.querySelectorAll(selector)];
  const said = page.querySelector(".install-said");

  /* ---- copying ---- */

  const copied = async (area) => {
    area.select();
    try {
      await navigator.clipboard.writeText(area.value);
      return true;
    } catch {
      return document.execCommand("copy"); // http:// pages have no clipboard of their own
    }
  };
  for (const button of all(".install-copy")) {
    const area = document.getElementById(button.dataset.copies);
    const usual = button.firstChild.data;
    let back;
    button.hidden = false;
    button.onclick = async () => {
      said.textContent = "";
      const done = await copied(area);
      said.textContent = done ? page.dataset.copied : page.dataset.notCopied;
      if (!done) return;
      button.focus();
      button.firstChild.data = page.dataset.copied;
      clearTimeout(back);
      back = setTimeout(() => (button.firstChild.data = usual), 3000);
    };
  }
  // What a link leads to may stand in something that is closed.
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const closed = target && target.closest("details");
    if (closed) closed.open = true;
    if (closed) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  /* ---- colours ---- */

  const form = page.querySelector(".install-look");
  const verdict = page.querySelector(".install-verdict");
  const preview = page.querySelector(".install-preview");
  const areas = all("textarea[data-look]").map((area) => ({ area, text: area.value }));
  const inputs = all(".install-look input");
  const theme = form.elements.theme;

  const usual = (input) => input.dataset[theme.value];

  /** The custom properties that are not as they are by default, with their values. */
  const look = () =>
    inputs
      .filter((input) => input.checkValidity() && input.value && input.value != usual(input))
      .map(({ name, value }) => [`--undersigned-${name}`, name == "radius" ? `${value}px` : value]);

  const luminance = (colour) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  /** As WCAG 2.2 defines it: from 1 to 21. */
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  /** Each snippet takes the look in its own way: in the style attribute, in the rule, or in the frame's address. */
  const WAYS = {
    inline: (text, chosen, dark) =>
      WAYS.classed(text, chosen, dark).replace(/(min-height:\d+px)/, (kept) =>
        [kept, ...chosen.map((pair) => pair.join(":"))].join(";"),
      ),
    classed: (text, chosen, dark) => text.replace("<div ", dark ? '<div data-theme="dark" ' : "$&"),
    rule: (text, chosen) => text.replace("\n}", chosen.map((pair) => `\n  ${pair.join(": ")};`).join("") + "\n}"),
    frame: (text, chosen, dark) => text.replace(/\/embed\/[\w.-]+/, (address) => address + asked(chosen, dark, "?")),
    view: (text, chosen, dark) => {
      const style = chosen.length ? ` style="${chosen.map((pair) => pair.join(":")).join(";")}"` : "";
      return text.replace(/ data-view="\w+"/, (kept) => kept + (dark ? ' data-theme="dark"' : "") + style);
    },
  };
  const asked = (chosen, dark, first) => {
    const query = new URLSearchParams(dark ? { theme: "dark" } : {});
    for (const [name, value] of chosen) query.set(name.replace("--undersigned-", ""), value.replace(/#|px/, ""));
    return `${query}` && first + query;
  };

  const show = () => {
    const chosen = look();
    const dark = theme.value == "dark";
    for (const { area, text } of areas) area.value = WAYS[area.dataset.look](text, chosen, dark);
    let low = 0;
    for (const line of all(".install-contrast li")) {
      const { ink, ground, least } = line.dataset;
      const ratio = contrast(form.elements[ink].value, form.elements[ground].value);
      const enough = ratio >= +least;
      if (!enough) low++;
      const words = enough ? verdict.dataset.enough : verdict.dataset.needs;
      const number = (value) => (Math.floor(value * 10) / 10).toLocaleString(document.documentElement.lang);
      line.querySelector("output").value = words.replace("{ratio}", number(ratio)).replace("{least}", number(+least));
      line.classList.toggle("install-low", !enough);
      const sample = line.querySelector(".install-sample").style;
      sample.color = sample.borderColor = form.elements[ink].value;
      sample.backgroundColor = form.elements[ground].value;
    }
    const words = low ? verdict.dataset.low : verdict.dataset.good;
    if (verdict.textContent != words) verdict.textContent = words;
    paint(chosen);
  };

  /** The preview is a page of ours, so that it can be painted without being loaded again. */
  const paint = (chosen) => {
    const root = preview?.contentDocument?.documentElement;
    if (!root) return;
    for (const { name } of inputs) root.style.removeProperty(`--undersigned-${name}`);
    for (const [name, value] of chosen) root.style.setProperty(name, value);
  };

  /** Who changes only the button's colour gets text on it that can be read. */
  let own = false;
  const matched = ({ name }) => {
    const ink = form.elements["accent-text"];
    const accent = form.elements.accent.value;
    own ||= name == "accent-text";
    if (name != "accent" || own) return;
    const better = ["#ffffff", "#000000"].sort((a, b) => contrast(b, accent) - contrast(a, accent))[0];
    ink.value = contrast(usual(ink), accent) < 4.5 ? better : usual(ink);
  };

  const themed = () => {
    own = false;
    for (const input of inputs) input.value = usual(input);
    if (preview) {
      const address = new URL(preview.src);
      address.searchParams.set("theme", theme.value);
      preview.src = address;
    }
    show();
  };

  form.hidden = false;
  page.querySelector(".install-no-script").hidden = true;
  form.onsubmit = (event) => event.preventDefault();
  form.oninput = ({ target }) => {
    if (target == theme) return themed();
    matched(target);
    show();
  };
  form.onreset = () => setTimeout(themed);
  preview?.addEventListener("load", () => paint(look()));
  show();
})();
