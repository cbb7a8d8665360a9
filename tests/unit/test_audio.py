"""Cutting, resampling, reading and writing sound."""

import wave
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from voice_agent import audio
from voice_agent.errors import InputError
from voice_agent.message import Samples
from voice_agent.testing import silence, tone

SOUNDS = arrays.arrays(np.int16, st.integers(0, 2000))


@given(st.lists(SOUNDS, max_size=6), st.integers(1, 700))
def test_rechunk_loses_and_invents_nothing(pieces: list[Samples], size: int) -> None:
    cut = audio.Rechunk(size)
    windows = [window.copy() for piece in pieces for window in cut.push(piece)]
    assert all(window.shape == (size,) for window in windows)
    assert len(cut.rest) < size
    whole = np.concatenate([*pieces, np.zeros(0, np.int16)])
    assert np.array_equal(np.concatenate([*windows, cut.rest]), whole)


def test_rechunk_gives_a_window_as_soon_as_it_is_complete() -> None:
    cut = audio.Rechunk(512)
    assert [len(list(cut.push(silence(0.02)))) for _ in range(8)] == [0, 1, 0, 1, 1, 0, 1, 1]


def test_windows_stay_what_they_were() -> None:
    piece = tone(0.04)
    cut = audio.Rechunk(600)
    (first,) = cut.push(piece)
    kept, rest = first.copy(), cut.rest.copy()
    list(cut.push(silence(1)))
    assert np.array_equal(first, kept)
    assert np.array_equal(rest, piece[600:])


RATES = [8000, 11025, 22050, 24000, 44100, 48000]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(RATES), st.lists(st.integers(1, 3000), min_size=1, max_size=12))
def test_a_stream_is_resampled_as_the_whole_is(rate: int, lengths: list[int]) -> None:
    seconds = sum(lengths) / rate
    t = np.arange(sum(lengths)) / rate
    sound = audio.to_int16(0.3 * np.sin(2 * np.pi * 440 * t))
    stream = audio.Resampler(rate, audio.SAMPLE_RATE)
    pieces = np.split(sound, np.cumsum(lengths)[:-1])
    out = [stream.push(piece) for piece in pieces]
    joined = np.concatenate([*out, stream.push(np.zeros(0, np.int16), last=True)])
    assert abs(len(joined) - seconds * audio.SAMPLE_RATE) <= 2
    once = audio.resample(sound, rate)
    inner = slice(200, min(len(once), len(joined)) - 200)  # both ring differently at their ends
    difference = joined[inner].astype(int) - once[inner]
    assert np.abs(difference).max(initial=0) < 100, "-50 dB of full scale"


def test_the_same_rate_is_left_alone() -> None:
    sound = tone(0.1)
    assert np.array_equal(audio.Resampler(16_000, 16_000).push(sound), sound)
    assert np.array_equal(audio.resample(sound, 16_000), sound)
    assert len(audio.resample(sound[:0], 8000)) == 0


@given(arrays.arrays(np.int16, st.integers(0, 1500)))
def test_frames_hold_the_recording_and_silence_after_it(sound: Samples) -> None:
    cut = list(audio.frames(sound))
    assert all(frame.shape == (audio.FRAME,) for frame in cut)
    joined = np.concatenate([*cut, np.zeros(0, np.int16)])
    assert np.array_equal(joined[: len(sound)], sound)
    assert not joined[len(sound) :].any()
    assert len(joined) - len(sound) < audio.FRAME


@pytest.mark.parametrize("level", [-60.0, -20.0, -3.1])
def test_a_level_is_measured(level: float) -> None:
    assert audio.level_db(tone(1, level_db=level)) == pytest.approx(level, abs=0.1)


def test_the_level_of_silence_and_of_nothing() -> None:
    assert audio.level_db(silence(1)) == audio.level_db(silence(0)) == audio.SILENCE_DB
    assert audio.level_db(np.full(100, -32768, np.int16)) == pytest.approx(0)


@given(SOUNDS)
def test_floats_and_back_is_the_same(sound: Samples) -> None:
    assert np.array_equal(audio.to_int16(audio.to_float(sound)), sound)


def test_floats_beyond_full_scale_are_clipped() -> None:
    assert audio.to_int16(np.array([-2.0, 2.0])).tolist() == [-32768, 32767]


# --- files ---


def write(path: Path, sound: npt.NDArray[np.float64], rate: int, codec: str) -> None:
    """Write floats of shape (n, channels) through FFmpeg in any of its sample formats."""
    layouts = {1: "mono", 2: "stereo", 6: "5.1"}
    wide = "flt" if codec.startswith("pcm_f") else "s32"
    packed = sound.astype(np.float32) if wide == "flt" else (sound * 0x7FFFFFFF).astype(np.int32)
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layouts[sound.shape[1]]
        frame = av.AudioFrame.from_ndarray(packed.reshape(1, -1), format=wide, layout=layouts[sound.shape[1]])
        frame.sample_rate = rate
        container.mux([packet for part in (frame, None) for packet in stream.encode(part)])


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000])
def test_any_wav_is_read(tmp_path: Path, codec: str, channels: int, rate: int) -> None:
    t = np.arange(rate // 2) / rate
    sound = np.repeat(0.2 * np.sin(2 * np.pi * 440 * t)[:, None], channels, axis=1)
    write(tmp_path / "any.wav", sound, rate, codec)
    read = audio.read(tmp_path / "any.wav")
    assert read.dtype == np.int16
    assert len(read) == pytest.approx(8000, abs=40)
    spectrum = np.abs(np.fft.rfft(read.astype(float)))
    assert np.argmax(spectrum) * audio.SAMPLE_RATE / len(read) == pytest.approx(440, abs=4)
    # 5.1 is folded down at its own level; mono and stereo keep theirs
    assert audio.level_db(read) == pytest.approx(-17, abs=1 if channels < 6 else 6)


@settings(deadline=None, max_examples=30)
@given(arrays.arrays(np.int16, st.integers(1, 2000)))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, sound: Samples) -> None:
    path = tmp_path_factory.mktemp("wav") / "sound.wav"
    audio.write_wav(path, sound)
    assert np.array_equal(audio.read(path), sound)


def test_stereo_is_written_channel_by_channel(tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    audio.write_wav(path, np.stack((tone(0.1), silence(0.1)), axis=1), 8000)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 1600)
        both = np.frombuffer(file.readframes(1600), "<i2").reshape(-1, 2)
    assert np.array_equal(both[:, 0], tone(0.1))
    assert not both[:, 1].any()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "expected a sound file"),
        (b"", "expected a sound file"),
        (b"this is a text", "expected a sound file"),
        (b"RIFF\x24\x00\x00\x00WAVE", "expected a sound file"),
    ],
)
def test_what_is_no_sound_file_is_refused_by_name(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "voice.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        audio.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_wav_without_samples_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    audio.write_wav(path, silence(0))
    with pytest.raises(InputError, match="the sound file is empty"):
        audio.read(path)


def test_a_folder_is_no_sound_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a sound file"):
        audio.read(tmp_path)


def test_a_wav_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    audio.write_wav(path, tone(1))
    path.write_bytes(path.read_bytes()[: 44 + 16_000])
    assert len(audio.read(path)) == 8000
