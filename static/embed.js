/*
 * Beside an <iframe data-undersigned-frame src=".../embed/TOKEN">: the frame follows the height of what is in it.
 * The argument in the last line is what the server puts in: the only origin that is listened to.
 *
 * One thing must stay true: a message moves only the frame that it came from, and only if our own page sent it.
 */
(function (ours) {
  const frames = () => document.querySelectorAll("iframe[data-undersigned-frame]");
  addEventListener("message", ({ data, origin, source }) => {
    const height = data?.undersignedHeight;
    if (origin != ours || typeof height != "number" || !(height > 0 && height < 10000)) return;
    for (const frame of frames()) if (frame.contentWindow == source) frame.style.height = height + "px";
  });
  // Whatever is drawn already is asked to tell its height once more.
  for (const frame of frames()) frame.contentWindow?.postMessage("", "*");
})("");
