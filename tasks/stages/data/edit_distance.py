"""Edit distance of two short texts."""


def edit_distance(word: str, other: str) -> int:
    """Return the optimal string alignment distance of two words: changed, added, removed and swapped letters.

    A distance of more than 2 is returned as 3.
    """
    if abs(len(word) - len(other)) > 2:
        return 3
    before, last = list[int](), list(range(len(other) + 1))
    for i, a in enumerate(word, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and word[i - 2] == b:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return min(last[-1], 3)
