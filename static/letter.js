/*
 * The letter's own page: another language takes the page's place without losing what was typed.
 *
 * One thing must stay true: what was typed goes from one form to the other, and neither into an address nor into
 * anything that is kept. Where anything is not as expected, the link leads where it always did.
 */
(() => {
  const FORM = "[data-undersigned]";
  const LINKS = ".page-languages a";
  const page = () => location.pathname + location.search;
  let shown = page();

  /** The form goes on: the widget itself, which speaks what the page speaks; without it, what stands in each control. */
  const carry = (from, to) => {
    if (from.querySelector("undersigned-letter")?.shadowRoot) return to.replaceWith(from);
    const { elements } = to.querySelector("form");
    for (const { name, type, value, checked } of from.querySelector("form").elements) {
      const radio = type == "radio" ? `[value="${value}"]` : "";
      const control = name && type != "hidden" && [...elements].find((one) => one.matches(`[name="${name}"]${radio}`));
      if (control) Object.assign(control, { value, checked });
    }
  };

  const turn = async (address) => {
    const answer = await fetch(address);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [from, to] = [document, fresh].map((page) => page.querySelector(FORM));
    if (!answer.ok || from.dataset.undersigned != to.dataset.undersigned) throw answer;
    carry(from, to);
    document.documentElement.lang = fresh.documentElement.lang;
    document.body.replaceChildren(...fresh.body.childNodes);
    const about = "title, meta, link:not([rel=stylesheet])";
    for (const old of document.head.querySelectorAll(about)) old.remove();
    document.head.append(...fresh.head.querySelectorAll(about));
    document.querySelector(LINKS)?.focus({ preventScroll: true });
  };

  addEventListener("click", async (event) => {
    const link = event.target.closest(LINKS);
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    try {
      await turn(link.href);
      history.pushState(null, "", link.href);
      shown = page();
    } catch {
      location.assign(link.href);
    }
  });

  addEventListener("popstate", async () => {
    if (shown == page()) return; // a place on this page
    shown = page();
    await turn(location.href).catch(() => location.reload());
  });
})();
