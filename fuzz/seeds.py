"""Writes fuzz/corpus/: a few small sound files of every format, for the fuzzer to damage.

    python3 fuzz/seeds.py

Only the standard library is used, so that nothing is shared with the readers. The same files come out
every time.
"""

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def seed(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def idx(code, sides, data):
    return struct.pack(f">HBB{len(sides)}I", 0, code, len(sides), *sides) + data


def npy(descr, shape, data, fortran=False):
    header = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def npz(members, method):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as out:
        for name, content in members.items():
            out.writestr(zipfile.ZipInfo(name), content, method)
    return archive.getvalue()


def png(colour, depth, width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(components):
    """An 8x8 baseline image of mid-grey: every code is one bit, and every block two zero bits."""

    def segment(marker, data):
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    frame = struct.pack(">BHHB", 8, 8, 8, components) + b"".join(bytes([k + 1, 0x11, 0]) for k in range(components))
    scan = bytes([components]) + b"".join(bytes([k + 1, 0]) for k in range(components)) + b"\x00\x3f\x00"
    one_code = bytes([1] + [0] * 15 + [0])
    return b"".join([
        b"\xff\xd8",
        segment(0xDB, b"\0" + b"\1" * 64),
        segment(0xC0, frame),
        segment(0xC4, b"\x00" + one_code),
        segment(0xC4, b"\x10" + one_code),
        segment(0xDA, scan),
        b"\x00\x3f\xff\xd9",
    ])


floats = struct.pack("<6f", 1, 2, 3, 4, 5, 6)
images = idx(8, [2, 2, 2], bytes(range(8)))
seed("idx", "images", images)
seed("idx", "compressed", gzip.compress(images, mtime=0))
seed("idx", "vectors", idx(0x0D, [2, 3], struct.pack(">6f", 1, 2, 3, 4, 5, 6)))
seed("idx", "wide", idx(0x0C, [3], struct.pack(">3i", -1, 0, 16777217)))

seed("npy", "vectors", npy("<f4", (2, 3), floats))
seed("npy", "fortran", npy(">f8", (2, 2), struct.pack(">4d", 1, 2, 3, 4), fortran=True))
seed("npy", "images", npy("|u1", (1, 2, 2, 3), bytes(range(12))))
seed("npy", "halves", npy("<f2", (3,), struct.pack("<3e", 0.5, 1, 2)))
seed("npy", "compressed", gzip.compress(npy("<i8", (2,), struct.pack("<2q", 1, 2)), mtime=0))

labelled = {"x.npy": npy("<f4", (3, 2), floats), "y.npy": npy("<i8", (3,), struct.pack("<3q", 0, 1, 0))}
seed("npz", "stored", npz(labelled, zipfile.ZIP_STORED))
seed("npz", "deflated", npz(labelled, zipfile.ZIP_DEFLATED))
seed("npz", "one", npz({"points.npy": npy("<f4", (6,), floats)}, zipfile.ZIP_DEFLATED))

seed("csv", "plain", "1,2\n3,4\n")
seed("csv", "labelled", '"","x 1","label"\n"1",0.5,rose\n"2",1.5e3,iris\n')
seed("csv", "semicolons", "\ufeffa;b\r\n1;2\r\n3;NA\r\n")
seed("csv", "tabs", "0\t1\t2\n3\tnan\t-inf\n")
seed("csv", "commas", "1,5;2,5\n3,5;4,5\n")

seed("image", "grey", png(0, 8, 2, 2, [b"\x00\x40", b"\x80\xff"]))
seed("image", "deep", png(0, 16, 1, 1, [b"\x80\x80"]))
seed("image", "alpha", png(6, 8, 1, 2, [b"\x10\x20\x30\x80", b"\xff\xff\xff\xff"]))
seed("image", "bits", png(0, 1, 9, 1, [b"\xaa\x80"]))
for components in (1, 3, 4):
    seed("image", f"jpeg{components}", jpeg(components))

seed("config", "settings", 'seed = 3\n[autoencoder]\nencoder = "identity"\n[bridge.score]\nepsilon = 0.1\n')
header = b'{"__metadata__":{"description":"{}"},"weights/a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
seed("checkpoint", "one", struct.pack("<Q", len(header)) + header + struct.pack("<f", 1))
