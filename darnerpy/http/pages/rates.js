// How fast something goes, to read: the mean of the last few seconds, since those of one jump too much.
//
// Owns the smoothing. What it is given are the server's rates, which come from counters that never fall; a
// second that was missed counts for nothing.

const SECONDS = 5;

/** value: to be read. last: of the last second. */
export class Rate {
  constructor() {
    this.value = undefined;
    this.last = undefined;
    this.seconds = [];
  }

  add(rate) {
    this.last = rate;
    if (rate === undefined) return;
    this.seconds.push(rate);
    if (this.seconds.length > SECONDS) this.seconds.shift();
    this.value = this.seconds.reduce((sum, each) => sum + each, 0) / this.seconds.length;
  }
}
