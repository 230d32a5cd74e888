"""Items of a new round: the rows to label, and the gold examples."""

import random
from collections.abc import Sequence

from tasks.core.errors import InputError
from tasks.labels import input_rows, pseudonyms
from tasks.labels.input_rows import InputRow
from tasks.labels.label_round import MAX_ITEMS, GoldItem, Item, RoundSource
from tasks.labels.round_order import RoundOrder, canonical_label, is_number


def gold_items(order: RoundOrder, key: bytes) -> list[GoldItem]:
    if order.gold is None:
        return []
    found = input_rows.read_gold_file(order.gold)
    allowed = {canonical_label(label, order.scale) for label in order.labels}
    for number, row in enumerate(found, start=1):
        is_wrong = order.scale == "interval" and not is_number(row.label)
        if is_wrong or (allowed and canonical_label(row.label, order.scale) not in allowed):
            raise InputError(f"--gold {order.gold}: row {number}: its label is not one of this round (--label)")
    if len({row.text for row in found}) != len(found):
        raise InputError(f"--gold {order.gold}: two gold examples have the same text; keep one")
    return [
        GoldItem(
            item=pseudonyms.make_item_id(order.id, f"gold {row.key}", key),
            text=row.text,
            label=canonical_label(row.label, order.scale),
        )
        for row in found
    ]


def row_items(
    order: RoundOrder, sources: Sequence[RoundSource], gold: Sequence[GoldItem], key: bytes
) -> tuple[list[Item], int]:
    """Return the rows to label, and the number of rows left out because a gold example has their text."""
    if order.pairs is not None:
        found = [InputRow(pair.key, pair.text, record_id=pair.record_id) for pair in order.pairs.rows]
    elif order.run is not None:
        wanted = frozenset(order.sources or [source.id for source in sources])
        found = input_rows.read_run_rows(order.run, order.partition, wanted)
    else:
        assert order.rows is not None
        found = input_rows.read_rows_file(order.rows)
    known = {example.text for example in gold}
    kept = [row for row in found if row.text not in known]
    if order.sample is not None and order.sample < len(kept):
        kept = random.Random(f"sample {order.seed}").sample(kept, order.sample)
    if not kept:
        raise InputError("there are no rows to label; name another run, source, partition or file")
    _require_possible_size(kept, gold)
    return [_item(order, row, key) for row in kept], sum(row.text in known for row in found)


def _require_possible_size(rows: Sequence[InputRow], gold: Sequence[GoldItem]) -> None:
    if len(rows) + len(gold) > MAX_ITEMS:
        raise InputError(f"a round has at most {MAX_ITEMS:,} items, these are {len(rows) + len(gold):,}; use --sample")


def _item(order: RoundOrder, row: InputRow, key: bytes) -> Item:
    item = pseudonyms.make_item_id(order.id, f"row {row.key}", key)
    return Item(item=item, text=row.text, record_id=row.record_id, source_id=row.source_id)
