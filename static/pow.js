/*
 * Proof of work for the widget: finds the solution of an ALTCHA challenge (version 2, SHA-256, cost 1).
 *
 * Loaded only where the server asks for work. It computes by itself, since WebCrypto answers each hash with a promise,
 * which is slower by far and missing on http:// pages; and it needs no Worker, which a page's policy may forbid.
 *
 * One thing must stay true: the page stays responsive. Every 8 ms the browser gets a turn.
 */
const SLICE = 8; // ms

const start = new Int32Array(8);
const K = new Int32Array(64);
{
  // SHA-256's constants are the fractions of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
  const primes = [];
  const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  primes.forEach((prime, i) => {
    K[i] = fraction(Math.cbrt(prime));
    if (i < 8) start[i] = fraction(Math.sqrt(prime));
  });
}

const W = new Int32Array(64);
const rotate = (x, by) => (x >>> by) | (x << (32 - by));

/** One block: `state` becomes the SHA-256 of what stands in `block`, padding included. */
const digest = (state, block) => {
  let [a, b, c, d, e, f, g, h] = start;
  for (let i = 0; i < 64; i++) {
    if (i < 16) W[i] = block.getInt32(i * 4);
    else {
      const x = W[i - 15];
      const y = W[i - 2];
      W[i] =
        W[i - 16] +
        W[i - 7] +
        (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) +
        (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10));
    }
    const t = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const u = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + t) | 0;
    d = c;
    c = b;
    b = a;
    a = (t + u) | 0;
  }
  state.set([a, b, c, d, e, f, g, h]);
  for (let i = 0; i < 8; i++) state[i] += start[i];
};

const hex = (state) => Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");

/** Lets the browser do what waits. A message is quicker than setTimeout, which waits 4 ms, in hidden tabs a second. */
const rest = () =>
  new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(0);
  });

/** What goes into the form's `pow`. The hashed text, salt, nonce and a counter of 4 bytes, fits one block of 64. */
export const solve = async (challenge) => {
  const { salt, nonce, keyPrefix } = challenge.parameters;
  const block = new DataView(new ArrayBuffer(64));
  const state = new Int32Array(8);
  const bytes = (salt + nonce).match(/../g).map((pair) => parseInt(pair, 16));
  bytes.forEach((byte, i) => block.setUint8(i, byte));
  block.setUint8(bytes.length + 4, 128);
  block.setUint32(60, (bytes.length + 4) * 8);
  const first = parseInt(keyPrefix.slice(0, 8), 16) | 0;
  let turn = 0; // so that the page is drawn first
  for (let counter = 0; ; counter++) {
    // Before it is compiled, on an old phone, a hash takes a tenth of a millisecond and more.
    if (!(counter & 31) && performance.now() - turn > SLICE) {
      await rest();
      turn = performance.now();
    }
    block.setUint32(bytes.length, counter);
    digest(state, block);
    if (state[0] == first && hex(state).startsWith(keyPrefix)) {
      return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey: hex(state) } }));
    }
  }
};
