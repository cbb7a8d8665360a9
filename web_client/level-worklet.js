/** Measures how loud a sound is; runs on the audio thread. Posts the RMS, 0..1, `perSecond` times a second. */

class LevelMeter extends AudioWorkletProcessor {
  #sum = 0;
  #count = 0;
  #length = 0;

  /** @param {{processorOptions: {perSecond: number}}} options */
  constructor({ processorOptions }) {
    super();
    this.#length = sampleRate / processorOptions.perSecond;
  }

  /** @param {Float32Array[][]} inputs one input, its channels of 128 samples each */
  process([channels]) {
    for (const sample of channels[0] ?? []) this.#sum += sample * sample;
    this.#count += channels[0]?.length ?? 128;
    if (this.#count >= this.#length) {
      this.port.postMessage(Math.sqrt(this.#sum / this.#count));
      this.#sum = this.#count = 0;
    }
    return true; // until the context is closed
  }
}

registerProcessor("level-meter", LevelMeter);
