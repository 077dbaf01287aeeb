"""Ids that rise and never meet."""

from __future__ import annotations

from engine.db.ids import IdMaker, entropy

NOW = 1_790_000_000_000_000


def test_a_hundred_thousand_ids_rise_and_differ() -> None:
    make = IdMaker(entropy)
    ids = [make(NOW + n // 100) for n in range(100_000)]
    assert ids == sorted(set(ids))


def test_ids_fit_into_63_bits_until_2069() -> None:
    last = 3_124_224_000_000_000  # 2069-01-01
    for instant in (0, 946_684_800_000_000, NOW, last):
        made = IdMaker(lambda: 2**22 - 1)(instant)
        assert 0 < made < 2**63


def test_a_later_id_is_larger_in_whichever_process() -> None:
    for earlier in (1_000_000_000_000_000, 1_600_000_000_000_000, NOW):
        assert IdMaker(lambda: 2**22 - 1)(earlier) < IdMaker(lambda: 0)(earlier + 1_000)


def test_ids_rise_when_the_clock_goes_back() -> None:
    make = IdMaker(entropy)
    before = make(NOW)
    assert make(NOW - 3_600_000_000) > before


def test_the_same_entropy_makes_the_same_ids() -> None:
    def ids() -> list[int]:
        make = IdMaker(iter(range(100)).__next__)
        return [make(NOW) for _ in range(50)]

    assert ids() == ids()


def test_many_ids_rise_and_so_does_what_is_made_after_them() -> None:
    make = IdMaker(entropy)
    first, many, last = make(1_790_000_000_000_000), make.many(1_790_000_000_000_000, 3), make(0)
    assert len(many) == 3
    assert [first, *many, last] == sorted({first, *many, last})
