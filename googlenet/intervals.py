"""How sure a share is that was counted."""

Z = 1.959963984540054  # of the normal distribution, 95 % lie within so many standard deviations


def wilson(right: int, total: int, z: float = Z) -> tuple[float, float]:
    """Return Wilson's interval for a share of which `right` of `total` were seen.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    share = right / total
    middle = share + z * z / (2 * total)
    half = z * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    whole = 1 + z * z / total
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
