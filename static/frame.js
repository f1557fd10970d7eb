/*
 * Inside /embed/TOKEN: tells the page around the frame how high its content is, so that nothing scrolls in it.
 *
 * Two tongues, the height in pixels in both: {undersignedHeight: 838}, which /embed.js hears, and, where WordPress put
 * a secret behind the address, {secret, message: "height", value: 838}. There, links are told too: its sandbox lets none
 * open. One thing must stay true: nothing but heights and public addresses is told, since anybody may listen.
 */
(() => {
  const body = document.body;
  const secret = /[?&]secret=(\w+)/.exec(location.hash)?.[1];
  const tell = (message, value) => {
    if (secret) parent.postMessage({ secret, message, value }, "*");
  };
  const height = () => {
    parent.postMessage({ undersignedHeight: body.offsetHeight }, "*");
    tell("height", body.offsetHeight);
  };
  if (parent != self)
    addEventListener("undersigned:ready", () => {
      new ResizeObserver(height).observe(body);
      addEventListener("message", ({ source }) => source == parent && height());
    });
  addEventListener("click", (event) => {
    const link = event.composedPath()[0].closest("a");
    if (link) tell("link", link.href);
  });
})();
