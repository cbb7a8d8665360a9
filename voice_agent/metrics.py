"""What the server counts, in Prometheus's terms, served at `/metrics`. Only runtime and clients count."""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.2, 1.6, 2.5, 5.0)

CALLS_ACTIVE = Gauge("voice_agent_calls_active", "Calls under way")
CALLS = Counter("voice_agent_calls_total", "Calls ended, by outcome", ["outcome"])
DROPPED_FRAMES = Counter(
    "voice_agent_dropped_frames_total", "Frames of live sound given up because a node was slow", ["node"]
)
FAILED_TURNS = Counter("voice_agent_failed_turns_total", "Replies that a node could not make", ["node"])
FIRST_OUTPUT = Histogram(
    "voice_agent_first_output_seconds",
    "From the first output of any node in a turn to this node's first output in it",
    ["node"],
    buckets=SECONDS,
)
RESPONSE = Histogram(
    "voice_agent_response_seconds",
    "From the caller's last voiced sample as it was received to the first sample of the reply",
    buckets=SECONDS,
)
PACKETS = Counter(
    "voice_agent_packets_total",
    "Packets of callers' sound: received; lost, of these recovered or concealed; late: after being lost",
    ["fate"],
)
GAPS = Counter("voice_agent_gap_seconds_total", "Time filled because nothing came from a caller")
JITTER = Histogram(
    "voice_agent_jitter_seconds",
    "Interarrival jitter of callers' packets (RFC 3550), once a second",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
)
WAIT = Histogram(
    "voice_agent_packet_wait_seconds",
    "What callers' sound waits for missing packets, once a second",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
)
ROUND_TRIP = Histogram(
    "voice_agent_round_trip_seconds",
    "To the caller and back, by its RTCP reports, once a second",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0),
)
SENT_LOSS = Histogram(
    "voice_agent_sent_loss_ratio",
    "Share of the agent's packets lost, by the caller's RTCP reports, once a second",
    buckets=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)
SPECULATIONS = Counter(
    "voice_agent_speculations_total",
    "Answers prepared before their turn was sure: used, or given up; none: turns that ended without",
    ["fate"],
)
SPECULATION_SAVED = Histogram(
    "voice_agent_speculation_saved_seconds",
    "Of the caller's time: from an answer's preparation to the end of its turn",
    buckets=SECONDS,
)
EARLY_REQUESTS = Counter(
    "voice_agent_early_requests_total",
    "Requests to recognition services at a silence that was the end of speech: used, or was not: given_up",
    ["fate"],
)
INTERRUPTIONS = Counter("voice_agent_interruptions_total", "Replies that the caller spoke over")
