"""What is installed, what the machine has, and what each extra, prior and head model still needs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from zero1toa._version import full_version
from zero1toa.errors import MissingDependency, Zero1toaError

State = Literal["ready", "missing", "absent", "planned"]
_COLORS: dict[str, str] = {"ready": "green", "missing": "red", "absent": "yellow", "planned": "bright_black"}

_PACKAGES = ("torch", "numpy", "numba", "mediapipe", "scipy", "scikit-image", "pillow", "av", "pymatting", "pygltflib")

_PURPOSES = {
    "cuda": "training on an NVIDIA GPU",
    "diffusion": "the priors that diffuse and evaluate clip",
    "train": "train-prior on GPUs, with TensorBoard's curves; on a CPU it trains without",
    "cluster": "batches on a Ray cluster: batch --ray",
    "bake": "making the default head's data files again",
    "fuzz": "guiding the fuzzer of tests/nightly",
    "test": "the checks and tests",
}


@dataclass(frozen=True)
class Row:
    """One line of the report.

    `state`: "ready" works; "missing" must be mended for zero1toa to work; "absent" is optional and not here; "planned"
    is not in this version.
    """

    section: str
    name: str
    state: State
    detail: str


_PRIORS = (
    Row(
        "Priors",
        "reprojection",
        "ready",
        "built in: the photo's texture on the fitted head; no weights, no GPU",
    ),
    Row("Priors", "external", "ready", "runs a command of yours on each clip: create --prior external --prior-command"),
)

_OTHER_HEADS = (
    Row(
        "Head models",
        "flame:FILE",
        "ready",
        "reads your own FLAME 2020, 2023 or 2023 Open file, which flame.is.tue.mpg.de gives after registration; FLAME"
        " has a licence of its own",
    ),
    Row("Head models", "ict:FOLDER", "ready", "reads your ICT-FaceKit (github.com/ICT-VGL/ICT-FaceKit, MIT)"),
    Row("Head models", "gnm:FILE", "ready", "reads your own gnm_head.npz (github.com/google/gnm, Apache-2.0)"),
)


def report() -> list[Row]:
    """Everything `zero1toa doctor` shows, in its order. Nothing is downloaded or changed; torch is imported."""
    return [
        *_versions(),
        *_machine(),
        *_extras(),
        *_PRIORS,
        _mini_prior(),
        *_diffusion_priors(),
        _default_head(),
        *_OTHER_HEADS,
    ]


def is_healthy(rows: list[Row]) -> bool:
    """Whether nothing is missing that zero1toa cannot work without."""
    return all(row.state != "missing" for row in rows)


def as_records(rows: list[Row]) -> list[dict[str, str]]:
    """The rows as plain dictionaries, for JSON."""
    return [asdict(row) for row in rows]


def as_text(rows: list[Row]) -> str:
    """The rows as plain lines, one section after the other."""
    width = max((len(row.name) for row in rows), default=0)
    lines: list[str] = []
    for row, before in zip(rows, [None, *rows[:-1]], strict=True):
        if before is None or before.section != row.section:
            lines += ["", row.section] if before else [row.section]
        lines.append(f"  {row.name:<{width}}  {row.state:<7}  {row.detail}")
    return "\n".join(lines)


def show(rows: list[Row], console: Console | None = None) -> None:
    """Prints the rows: a table on a terminal, plain lines elsewhere."""
    console = console or Console()
    if not console.is_terminal:
        console.print(as_text(rows), markup=False, highlight=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "State", "Detail"):
        table.add_column(title, overflow="fold")
    for row, before in zip(rows, [None, *rows[:-1]], strict=True):
        if before is None or before.section != row.section:
            table.add_section()
            table.add_row(f"[bold]{row.section}[/bold]" if before is None else f"\n[bold]{row.section}[/bold]")
        table.add_row(row.name, f"[{_COLORS[row.state]}]{row.state}[/]", row.detail)
    console.print(table)


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _versions() -> list[Row]:
    rows = [
        Row("Versions", "zero1toa", "ready", full_version()),
        Row("Versions", "python", "ready", f"{platform.python_version()} on {platform.platform(terse=True)}"),
    ]
    return rows + [_mediapipe() if package == "mediapipe" else _package(package) for package in _PACKAGES]


def _package(name: str) -> Row:
    version = _installed(name)
    if version is None:
        return Row("Versions", name, "missing", f"to install: {_install_command([name])}")
    return Row("Versions", name, "ready", version)


def _mediapipe() -> Row:
    """Imports it, since it is the dependency that most often is installed and does not work."""
    from zero1toa.portrait import mediapipe_runtime

    try:
        mediapipe_runtime.mediapipe()
    except MissingDependency as error:
        return Row("Versions", "mediapipe", "missing", str(error))
    return _package("mediapipe")


def _install_command(requirements: list[str]) -> str:
    return "python -m pip install " + " ".join(f"'{requirement}'" for requirement in requirements)


def _machine() -> list[Row]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cpu = ", ".join(text for text in (_cpu_name(), f"{cores} cores", _simd()) if text)
    return [Row("Machine", "cpu", "ready", cpu), _gpu()]


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        match = re.search(r"^model name\s*:\s*(.+)$", info.read_text(errors="replace"), re.MULTILINE)
        if match:
            return match.group(1)
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()


def _simd() -> str:
    """The widest vector instructions that the just-in-time compiler sees."""
    if importlib.util.find_spec("llvmlite") is None:
        return ""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    for feature, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("neon", "NEON"), ("sse2", "SSE2")):
        if features.get(feature):
            return name
    return "no vector instructions known"


def _gpu() -> Row:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Row("Machine", "gpu", "absent", f"unknown, because torch cannot be imported: {error}")
    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(0)
        memory = device.total_memory / 2**30
        return Row("Machine", "gpu", "ready", f"{device.name}, {memory:.0f} GiB, CUDA {torch.version.cuda}")
    if Path("/proc/driver/nvidia/version").exists() and torch.version.cuda is None:
        cure = "this torch is built without CUDA; in the checkout: ZERO1TOA_TORCH=cuda ./scripts/setup"
        return Row("Machine", "gpu", "absent", f"an NVIDIA driver is here, but {cure}")
    return Row("Machine", "gpu", "absent", "no NVIDIA GPU that torch can use; the CPU does all the work")


def _extras() -> list[Row]:
    """One row for each extra that the installed package declares."""
    rows = []
    for extra, requirements in _extra_requirements().items():
        lacking = [text for text in requirements if _installed(_package_name(text)) is None]
        purpose = _PURPOSES[extra]
        if lacking:
            rows.append(Row("Extras", extra, "absent", f"for {purpose}; to install: {_install_command(lacking)}"))
        else:
            versions = ", ".join(f"{name} {_installed(name)}" for name in map(_package_name, requirements))
            rows.append(Row("Extras", extra, "ready", f"for {purpose}; {versions}"))
    return rows


def _extra_requirements() -> dict[str, list[str]]:
    """Extra to requirement texts such as "gsplat>=1.5"; empty when zero1toa runs from a folder without installation."""
    try:
        declared = importlib.metadata.requires("zero1toa") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    extras: dict[str, list[str]] = {}
    for line in declared:
        requirement, _, marker = line.partition(";")
        match = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if match:
            extras.setdefault(match.group(1), []).append(requirement.strip())
    return extras


def _package_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return match.group()


def _diffusion_priors() -> list[Row]:
    """What each needs. Without the user's folder nobody can tell whether its weights are on this machine."""
    from zero1toa.priors.animate_anyone.files import FILES, summary
    from zero1toa.priors.wan_animate import NEEDS

    lacking = [name for name in ("diffusers", "transformers") if _installed(name) is None]
    first = f"first {_install_command(lacking)}; then " if lacking else ""
    rows = [Row("Priors", name, "absent", f"{first}{summary(name)}, and a GPU of about 10 GB") for name in FILES]
    needs = f"{first}create --prior wan-animate --weights FOLDER needs {NEEDS}; see docs/diffusion.md"
    return [*rows, Row("Priors", "wan-animate", "absent", needs)]


def _mini_prior() -> Row:
    from zero1toa.priors.mini.weights import weights_path

    try:
        weights_path("")
    except Zero1toaError as error:
        return Row("Priors", "mini", "absent", f"a small video diffusion model trained with zero1toa itself. {error}")
    return Row("Priors", "mini", "ready", "built in: a small video diffusion model trained with zero1toa itself")


def _default_head() -> Row:
    from zero1toa.heads import load_head

    try:
        load_head("default")
    except Zero1toaError as error:
        return Row("Head models", "default", "missing", str(error))
    return Row(
        "Head models", "default", "ready", "built in, with the 52 ARKit shapes; needs no registration or download"
    )
