"""Cores, memory and GPUs are shared out among as many workers as they feed."""

import pytest

from zero1toa.batch.machine import Machine, share_out
from zero1toa.errors import InputError


@pytest.mark.parametrize(
    ("machine", "portraits", "wanted", "workers", "threads"),
    [
        (Machine(8, 64_000), 100, None, 8, 1),
        (Machine(8, 64_000), 2, None, 2, 4),
        (Machine(8, 4_000), 100, None, 2, 4),  # 0.9 of 4 GB feed two of 1.3 GB
        (Machine(8, 500), 100, None, 1, 8),
        (Machine(8, None), 100, None, 8, 1),
        (Machine(8, 64_000), 100, 3, 3, 2),
        (Machine(32, 256_000, gpus=4), 100, None, 4, 8),
        (Machine(1, 64_000), 100, None, 1, 1),
    ],
)
def test_shares(machine, portraits, wanted, workers, threads):
    shares = share_out(machine, "fast", portraits, wanted)
    assert (shares.workers, shares.threads) == (workers, threads)
    assert shares.gpus == (tuple(range(machine.gpus)) or None)


def test_an_unusable_number_of_workers_is_an_error():
    with pytest.raises(InputError):
        share_out(Machine(2, None), "fast", 10, 0)


def test_this_machine_has_something_to_share():
    machine = Machine.here()
    assert machine.cores >= 1
    assert machine.memory_mb is None or machine.memory_mb > 0
