/** How good the connection is: from what this browser measures and what the server tells. No DOM. */

/** @typedef {"good" | "fair" | "poor"} Quality */
/** @typedef {{quality: Quality, rttMs: number, loss: number, jitterMs: number}} Signal loss: a share, 0 to 1 */

/**
 * From which value on a connection is fair, and poor. Round trip: ITU-T G.114 wants 150 ms one way and forbids
 * 400. Jitter: ITU-T Y.1541, class 0, allows 50 ms. Loss: up to 3 % is concealed or recovered without being
 * noticed (docs/network.md); above 10 % words go missing.
 */
const LIMITS = { rttMs: [300, 800], loss: [0.03, 0.1], jitterMs: [50, 100] };
const QUALITIES = /** @type {const} */ (["good", "fair", "poor"]);

/** Takes both sides' figures about once a second; `value` is the latest. */
export class SignalMeter {
  #counted = { received: 0, lost: 0 };
  #down = { loss: 0, jitterMs: 0, rttMs: 0 };
  #up = { loss: 0, jitterMs: 0, rttMs: 0 };

  /**
   * What this browser has received since the last time.
   * @param {RTCStatsReport} report
   */
  measure(report) {
    const now = { received: 0, lost: 0 };
    for (const stats of report.values()) {
      if (stats.type === "inbound-rtp") {
        now.received += stats.packetsReceived ?? 0;
        now.lost += stats.packetsLost ?? 0;
        this.#down.jitterMs = (stats.jitter ?? 0) * 1000;
      }
      if (stats.type === "candidate-pair" && stats.nominated && stats.currentRoundTripTime !== undefined) {
        this.#down.rttMs = stats.currentRoundTripTime * 1000;
      }
    }
    const received = now.received - this.#counted.received;
    const lost = Math.max(0, now.lost - this.#counted.lost);
    this.#counted = now;
    this.#down.loss = received + lost ? lost / (received + lost) : 1;
  }

  /**
   * What the server tells of the packets it gets, and of those that did not reach us.
   * @param {import("./protocol.js").WireEvent} event of type voice_agent.network
   */
  hear({ received = 0, lost = 0, jitter_ms = 0, rtt_ms = 0, sent_lost = 0 }) {
    const loss = received + lost ? lost / (received + lost) : 0;
    this.#up = { loss: Math.max(loss, sent_lost ?? 0), jitterMs: jitter_ms, rttMs: rtt_ms ?? 0 };
  }

  /** @returns {Signal} the worse of both directions */
  get value() {
    const worst = (name) => Math.max(this.#down[name], this.#up[name]);
    const figures = { rttMs: this.#down.rttMs || this.#up.rttMs, loss: worst("loss"), jitterMs: worst("jitterMs") };
    const levels = Object.entries(LIMITS).map(([name, limits]) => limits.filter((limit) => figures[name] >= limit));
    return { ...figures, quality: QUALITIES[Math.max(...levels.map((reached) => reached.length))] };
  }
}

/** @param {RTCPeerConnection} peer */
export async function packetsReceived(peer) {
  return received(await peer.getStats());
}

/** @param {RTCStatsReport} report */
export function received(report) {
  let packets = 0;
  for (const stats of report.values()) if (stats.type === "inbound-rtp") packets += stats.packetsReceived;
  return packets;
}
