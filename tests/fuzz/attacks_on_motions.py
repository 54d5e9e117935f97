"""Recordings, clips, videos and lists that are endless, or name what is not theirs."""

from __future__ import annotations

import json
import struct
import zlib

from .attack_parts import bombs, first, one, png
from .packed import SINGLE, Files
from .readers import READERS


def csvs() -> dict[str, Files]:
    header = first("live_link_csv")[SINGLE].split(b"\n")[0]
    row = b",61," + b",".join([b"0.1"] * 61)
    return one(
        wide_and_long=header + b",x" * 200_000 + b"\n" + b"00:00:01:00,1\n" * 100_000,
        one_line=b"Timecode," * 3_000_000,
        a_hundred_days=b"\n".join([header, b"00:00:00:00" + row, b"00:00:00:01" + row, b"2400:00:00:00" + row]),
        a_billion_frames_a_second=b"\n".join(
            [header, *(b"00:00:01.%012d" % n + row for n in range(99)), b"00:59:00.0" + row]
        ),
        a_long_quote=header + b'\n"' + b"x" * (8 << 20),
        short_rows=header.replace(b"Timecode,", b"") + b",Timecode\n0.1,0.2\n",
        digits=header + b"\n" + b"9" * 100_000 + b":00:00:00" + row,
    )


def jsons() -> dict[str, Files]:
    return one(
        deep=b"[" * 5_000_000, deep_objects=b'{"a":' * 1_000_000, digits=b'{"fps":' + b"9" * 1_000_000 + b"}",
        infinite=b'[{"jawOpen": 1e999}]', no_numbers=b'{"fps": NaN, "weights": [[NaN]]}',
        many_empty=b'{"fps": 30, "weights": [' + b"[]," * 2_000_000 + b"[]]}",
        large_names=b'{"fps": 30, "names": ["' + b"x" * 5_000_000 + b'"], "weights": [[0]]}',
        slow=b'{"fps": 1e-300, "weights": [[' + b",".join([b"0"] * 52) + b"]]}",
        quick=b'{"fps": 1e300, "weights": [[' + b",".join([b"0"] * 52) + b"]]}",
    )  # fmt: skip


def npzs() -> dict[str, Files]:
    return bombs("weights", large=True)


def clips() -> dict[str, Files]:
    folder = first("clip")
    picture = png(30_000, 30_000, data=zlib.compress(bytes(1 << 20)))
    at = folder["00001.png"].index(b"IDAT")
    start = folder["00001.png"][at - 4 : at + 4]  # the part's length, and its kind
    huge = json.loads(folder["cameras.json"])
    huge["width"] = huge["height"] = 30_000
    return {
        **bombs("frames"),
        "pictures_of_900_megapixels": {
            **folder,
            "00000.png": picture,
            "00001.png": picture,
            "cameras.json": json.dumps(huge).encode(),
        },
        "picture_part_of_3_gigabytes": {
            **folder,
            "00001.png": folder["00001.png"].replace(start, b"\xc6\x00\xdf\x1dIDAT"),
        },
        "infinite_size": {**folder, "cameras.json": folder["cameras.json"].replace(b'"width": 16', b'"width": 1e999')},
        "deep": {**folder, "cameras.json": b"[" * 5_000_000},
    }


def lists() -> dict[str, Files]:
    wide = b"photo," + b",".join(b"c%d" % n for n in range(200_000)) + b"\n" + b"a.jpg\n" * 200
    return {
        "leads_outside": {"l.csv": b"photo,name\na.jpg,../../../../x\nb.jpg,/etc/x\nc.jpg,C:\\x\nd.jpg,..\\..\\x\n"},
        "no_user": {"l.txt": b"~nobody-of-that-name/a.jpg\n"},
        "deep": {"l.jsonl": b'{"photo":' * 300_000},
        "half_a_character": {"l.jsonl": b'{"photo": "\\ud800.jpg", "name": "\\ud800"}'},
        "wide": {"l.csv": wide},
        "many_names_alike": {"l.txt": b"\n".join(b"%d/a.jpg" % n for n in range(20_000))},
        "digits": {"l.csv": b"photo,seed\na.jpg," + b"9" * 100_000 + b"\n"},
        "formula": {"l.csv": b"photo,name\na.jpg,=cmd|' /C calc'!A0\n"},
    }


def videos() -> dict[str, Files]:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"
    return one(
        playlist=playlist,
        concat=b"ffconcat version 1.0\nfile /etc/passwd\n",
        dash=b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>',
        session=b"v=0\nm=video 9 RTP/AVP 96\nc=IN IP4 127.0.0.1\na=rtpmap:96 H264/90000\n",
        avi_of_4_gigapixels=_avi(), empty=b"", spaces=b" \n" * 100,
    )  # fmt: skip


def _avi() -> bytes:
    """A frame of 65,000 x 65,000 px."""
    whole = next(files[SINGLE] for files in READERS["video"].seeds() if files[SINGLE][:4] == b"RIFF")
    size = struct.pack("<II", 64, 64)  # of the container; the JPEG in it says the same, height first
    large = whole.replace(size, struct.pack("<II", 65_000, 65_000))
    return large.replace(b"\x08\x00\x40\x00\x40", b"\x08" + struct.pack(">HH", 65_000, 65_000))
